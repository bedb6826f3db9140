//! Rippling: form fields `event_name`, `company_id`, `id`. It signs nothing: a token of ours in the `Authorization` header
//! proves it. Neither id nor time stands in a delivery, and one event may come several times.

use super::notice::{Notice, Said, Unreadable, Word};

/// Fields of a form; four are sent.
const FIELDS_MAX: usize = 32;

pub fn read(body: &[u8]) -> Result<Notice, Unreadable> {
    let malformed = |reason: &str| Unreadable::Malformed(reason.to_owned());
    let (mut name, mut id) = (None, None);
    for (number, (field, value)) in form_urlencoded::parse(body).enumerate() {
        if number == FIELDS_MAX {
            return Err(malformed("the form has more fields than are sent here"));
        }
        let place = match field.as_ref() {
            "event_name" => &mut name,
            "id" => &mut id,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(malformed("`event_name` or `id` is there twice"));
        }
    }
    let name = name.ok_or_else(|| malformed("the body is no form with `event_name`"))?;
    let word = match name.as_str() {
        // Deleted: access to this app ended, for whatever cause.
        "employee.terminated" | "employee.deleted" => Word::Left,
        // Given again.
        "employee.created" => Word::Stays,
        "employee.hired" => Word::CameBack,
        "employee.updated" => return Notice::new(None, false, Vec::new()),
        other if other.starts_with("employee.") => return Err(Unreadable::Unknown { name, sender: "Rippling" }),
        // Groups, the company, custom fields, leave requests.
        _ => return Notice::new(None, false, Vec::new()),
    };
    let employee = id.filter(|id| !id.is_empty()).ok_or_else(|| malformed("`id` is missing"))?;
    Notice::new(None, false, vec![Said { employee, word, said: name, at: None }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Result<Vec<(String, Word)>, Unreadable> {
        Ok(read(body.as_bytes())?.said.into_iter().map(|said| (said.employee, said.word)).collect())
    }

    #[test]
    fn a_form_is_read_as_forms_are() {
        let body = "event_name=employee.deleted&company_id=656992806f26d6caeaffff9f&id=656992816f26d6caea00072c\
                    &company_primary_email=admin%40hr.example";
        assert_eq!(said(body), Ok(vec![("656992816f26d6caea00072c".into(), Word::Left)]));
        assert_eq!(said("id=a+b%2Fc&event_name=employee.hired"), Ok(vec![("a b/c".into(), Word::CameBack)]));
        assert_eq!(said("event_name=leave_request.created&id=1"), Ok(vec![]));
        for bad in ["", "{}", "event_name=employee.deleted", "event_name=employee.deleted&id=", "event_name=a&event_name=b", "event_name=employee.frozen&id=1"] {
            assert!(said(bad).is_err(), "{bad}");
        }
        assert!(said(&format!("event_name=employee.deleted&id=1&{}", "a=b&".repeat(40))).is_err());
    }
}
