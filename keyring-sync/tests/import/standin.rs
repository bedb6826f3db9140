//! A forge that answers from a table of paths.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What stands at each path; lists have one page.
pub type Pages = BTreeMap<String, Value>;

#[derive(Clone)]
pub struct Forge {
    pub url: String,
    pub pages: Arc<Mutex<Pages>>,
}

impl Forge {
    pub fn start(pages: Pages) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let forge = Forge { url, pages: Arc::new(Mutex::new(pages)) };
        let pages = Arc::clone(&forge.pages);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let pages = Arc::clone(&pages);
                std::thread::spawn(move || serve(&stream.unwrap(), &pages));
            }
        });
        forge
    }

    pub fn put(&self, path: &str, page: Value) {
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }
}

fn serve(mut stream: &TcpStream, pages: &Mutex<Pages>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap();
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let later = query.split('&').any(|part| part.starts_with("page=") && part != "page=1");
    let pages = pages.lock().unwrap();
    let (status, body) = match pages.get(bare) {
        Some(Value::Array(_)) if later => (200, "[]".to_owned()),
        Some(Value::String(text)) => (200, text.clone()),
        Some(Value::Number(status)) => (status.as_u64().unwrap(), "words\u{1b}[31m".to_owned()),
        Some(page) => (200, page.to_string()),
        None if bare.ends_with("/user") => (200, json!({"id": 1, "login": "root"}).to_string()),
        None => (404, "{}".to_owned()),
    };
    let _ = stream.write_all(
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).as_bytes(),
    );
}
