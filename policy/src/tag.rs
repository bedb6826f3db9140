//! Raw tag bytes, read once and strictly.
//!
//! In either object format a tag carries its repository's own signature at the end of its body;
//! a `gpgsig` or `gpgsig-sha256` header is the one for the other format.

use crate::commit::{Headers, ident, malformed, nul_in, object_id};
use crate::id::{ObjectFormat, ObjectId};
use crate::ident::Ident;
use crate::rule::{multiple_signatures, unsigned_data};
use crate::signature::armor::begins_signature;
use crate::signature::payload::Payload;
use crate::verdict::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetType {
    Commit,
    Tree,
    Blob,
    Tag,
}

/// An annotated tag that follows git's grammar to the letter.
#[derive(Clone, Debug)]
pub struct Tag<'a> {
    object: ObjectId,
    target_type: TargetType,
    name: &'a [u8],
    tagger: Option<Ident<'a>>,
    signature: Option<&'a [u8]>,
    payload: Payload<'a>,
    message: &'a [u8],
}

impl<'a> Tag<'a> {
    /// `object`, `type`, `tag`, `tagger`, an empty line, the message and the signature.
    /// Tags of before 2005 have no tagger.
    pub fn parse(raw: &'a [u8], format: ObjectFormat) -> Result<Self, Problem> {
        let mut headers = Headers::new(raw)?;
        let object = headers.expect(b"object").and_then(|hex| object_id(hex, format))?;
        let target_type = match headers.expect(b"type")? {
            b"commit" => TargetType::Commit,
            b"tree" => TargetType::Tree,
            b"blob" => TargetType::Blob,
            b"tag" => TargetType::Tag,
            _ => return Err(malformed("points to an unknown type of object")),
        };
        let name = headers.expect(b"tag")?;
        if name.is_empty() || name.iter().any(|byte| byte.is_ascii_control() || *byte == b' ') {
            return Err(malformed("has a malformed tag name"));
        }
        let tagger = headers.next_if(b"tagger")?.map(|line| ident("tagger", line)).transpose()?;
        let rest = headers.rest(format, &[b"object", b"type", b"tag", b"tagger"])?;
        if rest.own.is_some() || rest.foreign {
            let reason = "has a signature header, which in a tag belongs to the other object format";
            return Err(Problem::new(&unsigned_data::RULE, reason));
        }
        let at = signature_start(rest.body)?;
        let (message, signature) = rest.body.split_at_checked(at).unwrap_or((rest.body, &[]));
        let signature = (!signature.is_empty()).then_some(signature);
        if let Some(signature) = signature {
            nothing_follows(signature)?;
        }
        let signed = raw.len() - signature.map_or(0, <[u8]>::len);
        let payload = Payload::whole(raw.get(..signed).unwrap_or(raw));
        Ok(Tag { object, target_type, name, tagger, signature, payload, message })
    }

    /// What a tag leads to, read as leniently as git does: for history that is not judged.
    pub fn target(raw: &[u8], format: ObjectFormat) -> Option<ObjectId> {
        let line = raw.strip_prefix(b"object ")?.split(|&byte| byte == b'\n').next()?;
        ObjectId::from_hex(line).filter(|id| id.format() == format)
    }

    pub fn object(&self) -> ObjectId {
        self.object
    }

    /// What the tag says of its object; compare it with what the object is.
    pub fn target_type(&self) -> TargetType {
        self.target_type
    }

    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    pub fn tagger(&self) -> Option<&Ident<'a>> {
        self.tagger.as_ref()
    }

    pub fn signature(&self) -> Option<&'a [u8]> {
        self.signature
    }

    /// Everything before the signature.
    pub fn payload(&self) -> Payload<'a> {
        self.payload
    }

    /// What is wrong with the message, which is for whoever signed it to answer for.
    pub fn message_problem(&self) -> Option<Problem> {
        nul_in(self.message)
    }
}

/// Where the one line is that git would take for the start of a signature; the end without any.
/// Git takes the last such line, another reader the first: more than one is refused.
fn signature_start(body: &[u8]) -> Result<usize, Problem> {
    let (mut start, mut at) = (None, 0);
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        if begins_signature(line) && start.replace(at).is_some() {
            let reason = "has more than one line that begins a signature";
            return Err(Problem::new(&multiple_signatures::RULE, reason));
        }
        at += line.len();
    }
    Ok(start.unwrap_or(body.len()))
}

/// After its END line a block is over; what follows would be signed by nobody.
fn nothing_follows(signature: &[u8]) -> Result<(), Problem> {
    let mut lines = signature.split_inclusive(|&byte| byte == b'\n');
    let ended = lines.any(|line| line.starts_with(b"-----END "));
    if ended && lines.next().is_some() {
        return Err(Problem::new(&unsigned_data::RULE, "has text after its signature, which nobody signed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "object 1111111111111111111111111111111111111111\ntype commit\ntag v1.0\n";
    const TAGGER: &str = "tagger T <t@x.example> 1700000000 +0000\n";
    const BLOCK: &str = "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n";

    fn judged(parts: &[&str]) -> &'static str {
        Tag::parse(parts.concat().as_bytes(), ObjectFormat::Sha1).map_or_else(|problem| problem.rule.id, |_| "ok")
    }

    #[test]
    fn a_signed_tag_is_taken_apart() {
        let raw = [HEAD, TAGGER, "\n", "first release\n", BLOCK].concat();
        let tag = Tag::parse(raw.as_bytes(), ObjectFormat::Sha1).unwrap();
        assert_eq!((tag.name(), tag.target_type()), (b"v1.0".as_slice(), TargetType::Commit));
        assert_eq!(tag.signature(), Some(BLOCK.as_bytes()));
        assert_eq!(tag.payload().to_vec(), [HEAD, TAGGER, "\n", "first release\n"].concat().into_bytes());
        assert_eq!(tag.tagger().unwrap().email, "t@x.example");
        let own =
            [&HEAD.replace("1111111111111111111111111111111111111111", &"ab".repeat(32)), TAGGER, "\n", BLOCK].concat();
        assert!(Tag::parse(own.as_bytes(), ObjectFormat::Sha256).unwrap().signature().is_some());
    }

    #[test]
    fn b02_an_annotated_tag_may_have_no_signature() {
        let raw = [HEAD, TAGGER, "\n", "m\n"].concat();
        assert!(Tag::parse(raw.as_bytes(), ObjectFormat::Sha1).unwrap().signature().is_none());
        assert_eq!(judged(&[HEAD, "\n", "m\n"]), "ok", "b13: without a tagger it is for the rules to judge");
    }

    #[test]
    fn b04_text_after_the_block_is_signed_by_nobody() {
        assert_eq!(judged(&[HEAD, TAGGER, "\n", "m\n", BLOCK, "approved by the board\n"]), "unsigned-data");
        assert_eq!(judged(&[HEAD, TAGGER, "\n", "m\n", BLOCK, "\n"]), "unsigned-data");
    }

    #[test]
    fn b07_only_the_four_types_exist() {
        let types = [TargetType::Commit, TargetType::Tree, TargetType::Blob, TargetType::Tag];
        for (name, target_type) in ["commit", "tree", "blob", "tag"].into_iter().zip(types) {
            let raw = [&HEAD.replace("type commit", &format!("type {name}")), TAGGER, "\n", "m"].concat();
            assert_eq!(Tag::parse(raw.as_bytes(), ObjectFormat::Sha1).unwrap().target_type(), target_type);
        }
        assert_eq!(judged(&[&HEAD.replace("type commit", "type Commit"), TAGGER, "\n", "m"]), "malformed-object");
    }

    #[test]
    fn a_target_is_read_as_leniently_as_git_reads_it() {
        let target = |text: &str, format| Tag::target(text.as_bytes(), format);
        let id = ObjectId::from_hex("1".repeat(40).as_bytes());
        assert_eq!(target(HEAD, ObjectFormat::Sha1), id);
        assert_eq!(target(&format!("object {}\nwhatever", "1".repeat(40)), ObjectFormat::Sha1), id);
        assert_eq!(target(HEAD, ObjectFormat::Sha256), None, "an id of the other format names nothing here");
        assert_eq!(target("tree x\n", ObjectFormat::Sha1), None);
    }

    #[test]
    fn b14_a_second_begin_line_is_refused() {
        assert_eq!(judged(&[HEAD, TAGGER, "\n", "quoting:\n", BLOCK, BLOCK]), "multiple-signatures");
        let begin = "-----BEGIN SSH SIGNATURE-----\n";
        assert_eq!(judged(&[HEAD, TAGGER, "\n", begin, "m\n", BLOCK]), "multiple-signatures");
        assert_eq!(judged(&[HEAD, TAGGER, "\n", "m\n-----BEGIN PGP MESSAGE----- \n", BLOCK]), "multiple-signatures");
    }

    #[test]
    fn signature_headers_of_tags_belong_to_the_other_format() {
        for header in ["gpgsig", "gpgsig-sha256"] {
            let folded = format!("{header} -----BEGIN X-----\n x\n");
            assert_eq!(judged(&[HEAD, TAGGER, &folded, "\n", "m\n", BLOCK]), "unsigned-data");
        }
    }

    #[test]
    fn headers_come_once_and_in_order() {
        assert_eq!(judged(&[HEAD, TAGGER, TAGGER, "\n", "m"]), "malformed-object");
        assert_eq!(judged(&[HEAD, TAGGER, "tag v2\n", "\n", "m"]), "malformed-object");
        assert_eq!(judged(&[TAGGER, HEAD, "\n", "m"]), "malformed-object");
        for name in ["", "a b", "a\tb", "a\r"] {
            assert_eq!(judged(&[&HEAD.replace("v1.0", name), TAGGER, "\n", "m"]), "malformed-object", "{name:?}");
        }
    }
}
