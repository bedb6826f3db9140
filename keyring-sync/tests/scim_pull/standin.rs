//! A SCIM server that answers with what it was told to, whatever it is asked.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How `/Users` is answered.
#[derive(Clone, Debug)]
pub enum Users {
    /// Truly, in pages of this many.
    Pages(usize),
    /// The same page, whichever is asked for.
    Again,
    /// Another number of them on each page.
    Changing,
    /// Fewer than it says.
    Short,
    /// More than it says.
    Long,
    /// New ones without end.
    Endless,
    /// 503 to the first so many questions, then truly.
    Busy(usize),
    Status(u16),
    Text(String),
    /// More bytes than anybody wants to read.
    Flood,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(users: Users, all: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/scim/v2", listener.local_addr().unwrap());
        let server = Server { url, asked: Arc::default() };
        let asked = Arc::clone(&server.asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, users, all, asked) = (stream.unwrap(), users.clone(), all.clone(), Arc::clone(&asked));
                std::thread::spawn(move || serve(&stream, &users, &all, &asked));
            }
        });
        server
    }
}

fn serve(stream: &TcpStream, users: &Users, all: &[Value], asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let number = {
        let mut asked = asked.lock().unwrap();
        asked.push(path.clone());
        asked.len()
    };
    if !head.to_lowercase().contains("authorization: bearer secret-token\r\n") {
        return reply(stream, 401, "{}");
    }
    let parameter = |name: &str| {
        let query = path.split_once('?').map_or("", |(_, query)| query);
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")))
            .map(|text| text.parse::<usize>().unwrap())
    };
    let start = parameter("startIndex").unwrap();
    let page = |total: usize, resources: &[Value]| {
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total,
            "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources})
        .to_string()
    };
    let part = |most: usize| {
        let from = (start - 1).min(all.len());
        &all[from..(from + most).min(all.len())]
    };
    let body = match users {
        Users::Pages(most) => page(all.len(), part(*most)),
        Users::Again => page(all.len(), &all[..1]).replace(&format!("\"startIndex\":{start}"), "\"x\":1"),
        Users::Changing => page(all.len() + start, part(1)),
        Users::Short => page(all.len() + 1, part(100)),
        Users::Long => page(all.len() - 1, part(100)),
        Users::Endless => {
            let one = json!({"id": format!("n{start}"), "userName": format!("n{start}"), "active": true});
            page(1_000_000, &[one])
        }
        Users::Busy(times) if number <= *times => return reply(stream, 503, "busy\u{1b}[31m"),
        Users::Busy(_) => page(all.len(), part(100)),
        Users::Status(status) => return reply(stream, *status, "oops\u{1b}[31m"),
        Users::Text(text) => text.clone(),
        Users::Flood => {
            let mut stream = stream;
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n[");
            while stream.write_all(&[b' '; 65536]).is_ok() {}
            return;
        }
    };
    reply(stream, 200, &body);
}

fn reply(mut stream: &TcpStream, status: u16, body: &str) {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}
