//! The string form of a search filter (RFC 4515) ─► the filter. Pure.

use countersign_policy::text::shown;
use ldap3_proto::proto::{LdapFilter, LdapMatchingRuleAssertion, LdapSubstringFilter};

/// Filters within filters: people write three or four.
const DEPTH_MAX: usize = 16;

/// Bytes of a filter: an organisation's longest has some hundreds.
const FILTER_MAX: usize = 8 << 10;

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    #[error("it is longer than {FILTER_MAX} bytes")]
    TooLong,
    #[error("it is nested more than {DEPTH_MAX} deep")]
    TooDeep,
    #[error("{what} is missing at `{}`", shown(.at, 40))]
    Missing { what: &'static str, at: String },
    #[error("`{}` is no attribute", shown(.0, 40))]
    Attribute(String),
    #[error("`{}`: a backslash stands before two hex digits, and what it makes is UTF-8", shown(.0, 40))]
    Escape(String),
    #[error("`{}` stands after its end", shown(.0, 40))]
    Rest(String),
}

pub fn parse(text: &str) -> Result<LdapFilter, BadFilter> {
    if text.len() > FILTER_MAX {
        return Err(BadFilter::TooLong);
    }
    let (filter, rest) = filter(text.trim(), DEPTH_MAX)?;
    if rest.is_empty() { Ok(filter) } else { Err(BadFilter::Rest(rest.to_owned())) }
}

type Parsed<'t, T> = Result<(T, &'t str), BadFilter>;

fn filter(text: &str, depth: usize) -> Parsed<'_, LdapFilter> {
    let depth = depth.checked_sub(1).ok_or(BadFilter::TooDeep)?;
    let inner = after(text, "(")?;
    let (filter, rest) = match inner.chars().next() {
        Some('&') => {
            let (all, rest) = filters(after(inner, "&")?, depth)?;
            (LdapFilter::And(all), rest)
        }
        Some('|') => {
            let (all, rest) = filters(after(inner, "|")?, depth)?;
            (LdapFilter::Or(all), rest)
        }
        Some('!') => {
            let (not, rest) = filter(after(inner, "!")?.trim_start(), depth)?;
            (LdapFilter::Not(Box::new(not)), rest.trim_start())
        }
        _ => {
            let end = inner.find([')', '(']).unwrap_or(inner.len());
            let (item, rest) = inner.split_at(end);
            (self::item(item)?, rest)
        }
    };
    Ok((filter, after(rest, ")")?))
}

fn filters(text: &str, depth: usize) -> Parsed<'_, Vec<LdapFilter>> {
    let (mut all, mut rest) = (Vec::new(), text.trim_start());
    while rest.starts_with('(') {
        let (one, left) = filter(rest, depth)?;
        all.push(one);
        rest = left.trim_start();
    }
    if all.is_empty() { Err(missing("(", rest)) } else { Ok((all, rest)) }
}

/// `attribute=value` and its kin. A parenthesis or a star in a value is written as `\28`, `\29`, `\2a`.
fn item(text: &str) -> Result<LdapFilter, BadFilter> {
    let (left, value) = text.split_once('=').ok_or_else(|| missing("=", text))?;
    if let Some(left) = left.strip_suffix(':') {
        return Ok(LdapFilter::Extensible(extensible(left, value)?));
    }
    type Make = fn(String, String) -> LdapFilter;
    let kinds: [(char, Make); 3] =
        [('>', LdapFilter::GreaterOrEqual), ('<', LdapFilter::LessOrEqual), ('~', LdapFilter::Approx)];
    for (sign, make) in kinds {
        if let Some(left) = left.strip_suffix(sign) {
            return Ok(make(attribute(left)?, unescaped(value)?));
        }
    }
    let attribute = attribute(left)?;
    if value == "*" {
        return Ok(LdapFilter::Present(attribute));
    }
    let mut parts: Vec<String> = value.split('*').map(unescaped).collect::<Result<_, _>>()?;
    let Some(last) = parts.pop().filter(|_| !parts.is_empty()) else {
        return Ok(LdapFilter::Equality(attribute, unescaped(value)?));
    };
    let some = |part: String| if part.is_empty() { None } else { Some(part) };
    let mut parts = parts.into_iter();
    let initial = parts.next().and_then(some);
    Ok(LdapFilter::Substring(
        attribute,
        LdapSubstringFilter { initial, any: parts.filter_map(some).collect(), final_: some(last) },
    ))
}

/// `attribute[:dn][:rule]`, of which Active Directory's `:1.2.840.113556.1.4.803` is the usual one.
fn extensible(left: &str, value: &str) -> Result<LdapMatchingRuleAssertion, BadFilter> {
    let mut parts = left.split(':');
    let type_ = parts.next().filter(|name| !name.is_empty()).map(attribute).transpose()?;
    let mut rest: Vec<&str> = parts.collect();
    let dn_attributes = rest.first().is_some_and(|part| part.eq_ignore_ascii_case("dn"));
    if dn_attributes {
        rest.remove(0);
    }
    let matching_rule = match rest.as_slice() {
        [] => None,
        [rule] => Some(attribute(rule)?),
        _ => return Err(BadFilter::Attribute(left.to_owned())),
    };
    if type_.is_none() && matching_rule.is_none() {
        return Err(BadFilter::Attribute(left.to_owned()));
    }
    Ok(LdapMatchingRuleAssertion { matching_rule, type_, match_value: unescaped(value)?, dn_attributes })
}

/// A name or an object identifier, with options after a semicolon.
pub fn attribute(text: &str) -> Result<String, BadFilter> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';');
    if text.is_empty() || !text.chars().all(fits) {
        return Err(BadFilter::Attribute(text.to_owned()));
    }
    Ok(text.to_owned())
}

fn unescaped(text: &str) -> Result<String, BadFilter> {
    let bad = || BadFilter::Escape(text.to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let digits = escaped.get(..2).ok_or_else(bad)?;
        bytes.extend(hex::decode(digits).map_err(|_| bad())?);
        rest = escaped.get(2..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| bad())
}

fn after<'t>(text: &'t str, what: &'static str) -> Result<&'t str, BadFilter> {
    text.strip_prefix(what).ok_or_else(|| missing(what, text))
}

fn missing(what: &'static str, at: &str) -> BadFilter {
    BadFilter::Missing { what, at: at.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(attribute: &str, value: &str) -> LdapFilter {
        LdapFilter::Equality(attribute.to_owned(), value.to_owned())
    }

    #[test]
    fn filters_are_read_as_people_write_them() {
        assert_eq!(parse("(uid=alice)"), Ok(equal("uid", "alice")));
        assert_eq!(parse("(uid=*)"), Ok(LdapFilter::Present("uid".to_owned())));
        assert_eq!(parse(r"(cn=A \28B\29 \2a)"), Ok(equal("cn", "A (B) *")));
        assert_eq!(parse(r"(cn=M\c3\bcller)"), Ok(equal("cn", "Müller")));
        assert_eq!(
            parse("(memberOf=cn=staff,ou=groups,dc=hr,dc=example)"),
            Ok(equal("memberOf", "cn=staff,ou=groups,dc=hr,dc=example"))
        );
        let person = equal("objectClass", "person");
        let robot = LdapFilter::Not(Box::new(equal("objectClass", "computer")));
        assert_eq!(
            parse("(&(objectClass=person) (!(objectClass=computer)))"),
            Ok(LdapFilter::And(vec![person, robot]))
        );
        let parts = |initial: Option<&str>, any: &[&str], last: Option<&str>| LdapSubstringFilter {
            initial: initial.map(str::to_owned),
            any: any.iter().map(|part| (*part).to_owned()).collect(),
            final_: last.map(str::to_owned),
        };
        let substring = |parts| Ok(LdapFilter::Substring("cn".to_owned(), parts));
        assert_eq!(parse("(cn=a*b*c)"), substring(parts(Some("a"), &["b"], Some("c"))));
        assert_eq!(parse("(cn=*b*)"), substring(parts(None, &["b"], None)));
        assert_eq!(parse("(n>=5)"), Ok(LdapFilter::GreaterOrEqual("n".to_owned(), "5".to_owned())));
    }

    #[test]
    fn active_directorys_bits_are_asked_by_their_rule() {
        let Ok(LdapFilter::Extensible(rule)) = parse("(userAccountControl:1.2.840.113556.1.4.803:=2)") else {
            panic!()
        };
        assert_eq!(rule.type_.as_deref(), Some("userAccountControl"));
        assert_eq!(rule.matching_rule.as_deref(), Some("1.2.840.113556.1.4.803"));
        assert_eq!((rule.match_value.as_str(), rule.dn_attributes), ("2", false));
        let Ok(LdapFilter::Extensible(rule)) = parse("(ou:dn:=people)") else { panic!() };
        assert_eq!((rule.matching_rule, rule.dn_attributes), (None, true));
    }

    #[test]
    fn what_is_no_filter_says_where() {
        let said = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(said("uid=alice"), "( is missing at `uid=alice`");
        assert_eq!(said("(uid=alice"), ") is missing at ``");
        assert_eq!(said("(uid)"), "= is missing at `uid`");
        assert_eq!(said("(&)"), "( is missing at `)`");
        assert_eq!(said("(&&(a=b))"), "( is missing at `&(a=b))`");
        assert_eq!(said("(uid=a)(uid=b)"), "`(uid=b)` stands after its end");
        assert_eq!(said("(u d=a)"), "`u d` is no attribute");
        assert_eq!(said(r"(cn=\2)"), r"`\2`: a backslash stands before two hex digits, and what it makes is UTF-8");
        assert_eq!(said(r"(cn=\ff)").split(':').next(), Some(r"`\ff`"));
        assert_eq!(parse(&format!("{}(a=b){}", "(!".repeat(16), ")".repeat(16))), Err(BadFilter::TooDeep));
        assert_eq!(parse(&format!("(a={})", "b".repeat(FILTER_MAX))), Err(BadFilter::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in r"[()&|!=*~<>:\\a-c2ä ]{0,60}") {
            let _ = parse(&text);
            let _ = parse(&format!("({text})"));
        }
    }
}
