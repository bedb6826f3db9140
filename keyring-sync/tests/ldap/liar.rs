//! A directory that answers the first searches of each connection with whatever it was told, byte for byte.

use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindResponse, LdapMsg, LdapOp, LdapPartialAttribute, LdapResult, LdapResultCode, LdapSearchResultEntry,
    LdapSearchResultReference,
};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use tokio_util::codec::{Decoder, Encoder};

/// One thing that is sent to a search.
#[derive(Clone, Debug)]
pub enum Say {
    Person(&'static str),
    /// With these attributes.
    Entry(&'static [(&'static str, &'static str)]),
    Elsewhere,
    Done(LdapResultCode),
    /// Success, and there is another page.
    More,
    /// As an answer to another question.
    Other,
    Bytes(Vec<u8>),
}

/// Answers each search with the same; hangs up after it where it did not end.
pub fn start(says: Vec<Say>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let says = says.clone();
            std::thread::spawn(move || serve(stream.unwrap(), &says));
        }
    });
    port
}

fn serve(mut stream: TcpStream, says: &[Say]) {
    let (mut codec, mut received) = (LdapCodec::default(), BytesMut::new());
    loop {
        let request = loop {
            if let Some(request) = codec.decode(&mut received).unwrap() {
                break request;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(read) => received.extend_from_slice(&chunk[..read]),
            }
        };
        let id = request.msgid;
        match request.op {
            LdapOp::BindRequest(_) => {
                let response = LdapBindResponse { res: result(LdapResultCode::Success), saslcreds: None };
                send(&mut stream, LdapMsg { msgid: id, op: LdapOp::BindResponse(response), ctrl: Vec::new() });
            }
            LdapOp::SearchRequest(_) => {
                for say in says {
                    if let Say::Bytes(bytes) = say {
                        let _ = stream.write_all(bytes);
                        continue;
                    }
                    send(&mut stream, message(id, say));
                }
                if !matches!(says.last(), Some(Say::Done(_) | Say::More)) {
                    return;
                }
            }
            _ => return,
        }
    }
}

fn message(id: i32, say: &Say) -> LdapMsg {
    let entry = |attributes: &[(&str, &str)]| {
        let attributes = attributes.iter().map(|(name, value)| LdapPartialAttribute {
            atype: (*name).to_owned(),
            vals: vec![value.as_bytes().to_vec()],
        });
        LdapOp::SearchResultEntry(LdapSearchResultEntry {
            dn: "uid=x,dc=x\u{1b}[31m".to_owned(),
            attributes: attributes.collect(),
        })
    };
    let (id, op) = match say {
        Say::Person(person) => (id, entry(&[("uid", person), ("cn", person)])),
        Say::Entry(attributes) => (id, entry(attributes)),
        Say::Elsewhere => {
            let uris = vec!["ldap://other.example/dc=x".to_owned()];
            (id, LdapOp::SearchResultReference(LdapSearchResultReference { uris }))
        }
        Say::Done(code) => (id, LdapOp::SearchResultDone(result(code.clone()))),
        Say::More => (id, LdapOp::SearchResultDone(result(LdapResultCode::Success))),
        Say::Other => (id + 7, LdapOp::SearchResultDone(result(LdapResultCode::Success))),
        Say::Bytes(_) => unreachable!("sent as they are"),
    };
    let page = LdapControl::SimplePagedResults { size: 0, cookie: b"next".to_vec() };
    LdapMsg { msgid: id, op, ctrl: if matches!(say, Say::More) { vec![page] } else { Vec::new() } }
}

fn result(code: LdapResultCode) -> LdapResult {
    LdapResult { code, matcheddn: String::new(), message: "words\u{1b}[31m".to_owned(), referral: Vec::new() }
}

fn send(stream: &mut TcpStream, message: LdapMsg) {
    let mut bytes = BytesMut::new();
    LdapCodec::default().encode(message, &mut bytes).unwrap();
    let _ = stream.write_all(&bytes);
}
