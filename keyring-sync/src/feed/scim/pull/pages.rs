//! A list of resources, page by page (RFC 7644, section 3.4.2.4), and the proof that it came whole.

use super::{BadList, ID_SHOWN};
use crate::feed::scim::value::Object;
use crate::http::{Client, Trouble};
use countersign_policy::text::shown;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Attempts for one page: an identity provider that is asked quickly answers 429 for a while.
const ATTEMPTS: u32 = 4;

/// Before the second attempt; twice as long before each next one.
const PAUSE: Duration = Duration::from_secs(1);

/// The whole list. Two hundred thousand users in pages of a hundred are two thousand answers.
const READING_MAX: Duration = Duration::from_secs(15 * 60);

/// Bytes of a resource's id: a UUID has 36.
pub const ID_MAX: usize = 256;

/// A list to be read.
#[derive(Clone, Copy, Debug)]
pub struct List<'l> {
    pub path: &'l str,
    /// Resources asked for at a time; servers give fewer where they please.
    pub page: usize,
    pub most: usize,
}

/// Hands over every resource of a list, each with an id of its own and as many as the server says that there are. One
/// page is held at a time.
pub fn read(
    client: &Client,
    List { path, page, most }: List<'_>,
    each: &mut dyn FnMut(&str, Object) -> Result<(), BadList>,
) -> Result<(), BadList> {
    let until = Instant::now() + READING_MAX;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut said: Option<usize> = None;
    loop {
        let join = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{join}startIndex={}&count={page}", seen.len() + 1);
        let page = Page::read(fetch(client, &path, until)?)?;
        match said {
            Some(before) if before != page.total => {
                return Err(BadList::Odd(format!(
                    "it said that there are {before}, and now {}: it changed while it was read, or two servers answer",
                    page.total
                )));
            }
            _ => said = Some(page.total),
        }
        if page.total > most {
            return Err(BadList::Odd(format!(
                "it says that there are {}, and {most} are the most that are read",
                page.total
            )));
        }
        if page.start.is_some_and(|start| start != seen.len() as u64 + 1) && !page.resources.is_empty() {
            return Err(BadList::Odd("it answers with another page than it was asked for".to_owned()));
        }
        let empty = page.resources.is_empty();
        for resource in page.resources {
            let id = resource.get("id").and_then(Value::as_str).filter(|id| !id.is_empty() && id.len() <= ID_MAX);
            let id = id.ok_or_else(|| BadList::Odd("it lists a resource without an id".to_owned()))?.to_owned();
            if seen.contains(&id) {
                return Err(BadList::Odd(format!("it lists {} twice", shown(&id, ID_SHOWN))));
            }
            each(&id, resource)?;
            seen.insert(id);
        }
        if seen.len() > page.total {
            return Err(BadList::Count { said: page.total, found: seen.len(), more: true });
        }
        if seen.len() == page.total {
            return Ok(());
        }
        if empty {
            return Err(BadList::Count { said: page.total, found: seen.len(), more: false });
        }
    }
}

/// One page, tried again while nothing is wrong with the question.
fn fetch(client: &Client, path: &str, until: Instant) -> Result<Value, BadList> {
    let mut pause = PAUSE;
    for attempt in 1.. {
        if Instant::now() >= until {
            return Err(BadList::Slow);
        }
        match client.get(path) {
            Ok(Some(page)) => return Ok(page),
            Ok(None) => {
                return Err(BadList::Odd("it knows no such list: is the configured url that of SCIM?".to_owned()));
            }
            Err(Trouble::Unreachable(_)) if attempt < ATTEMPTS => {
                std::thread::sleep(pause);
                pause = pause.saturating_mul(2);
            }
            Err(Trouble::Unreachable(why)) => return Err(BadList::Unreachable(why)),
            Err(Trouble::Odd(why)) => return Err(BadList::Odd(why)),
        }
    }
    Err(BadList::Slow)
}

struct Page {
    total: usize,
    start: Option<u64>,
    resources: Vec<Object>,
}

impl Page {
    fn read(answer: Value) -> Result<Self, BadList> {
        let odd = |what: &str| BadList::Odd(what.to_owned());
        let Value::Object(mut page) = answer else { return Err(odd("it answers with no list")) };
        let number = |page: &Object, name: &str| page.get(name).and_then(Value::as_u64);
        let total = number(&page, "totalResults").and_then(|total| usize::try_from(total).ok());
        let total = total.ok_or_else(|| odd("it does not say how many there are (`totalResults`)"))?;
        let start = number(&page, "startIndex");
        let resources = match page.remove("Resources") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(resources)) => resources,
            Some(_) => return Err(odd("its `Resources` are no list")),
        };
        let resources: Option<Vec<Object>> = resources
            .into_iter()
            .map(|resource| match resource {
                Value::Object(resource) => Some(resource),
                _ => None,
            })
            .collect();
        Ok(Page { total, start, resources: resources.ok_or_else(|| odd("it lists something else than objects"))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_says_how_many_there_are() {
        let page = Page::read(json!({"totalResults": 2, "startIndex": 1, "Resources": [{"id": "a"}]})).unwrap();
        assert_eq!((page.total, page.start, page.resources.len()), (2, Some(1), 1));
        assert_eq!(Page::read(json!({"totalResults": 0})).unwrap().resources.len(), 0);
        for bad in [
            json!([]),
            json!({}),
            json!({"totalResults": "2"}),
            json!({"totalResults": -1}),
            json!({"totalResults": 1, "Resources": {}}),
            json!({"totalResults": 1, "Resources": [1]}),
        ] {
            assert!(Page::read(bad.clone()).is_err(), "{bad}");
        }
    }
}
