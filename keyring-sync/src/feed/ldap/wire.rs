//! What is asked of a directory, and what it answers. Every message is bounded, in bytes and in depth.

use super::BadAnswer;
use super::config::{Address, Bind, Ldap, Tls};
use super::socket::{READING_MAX, Socket};
use bytes::BytesMut;
use countersign_policy::text::shown;
use ldap3_proto::LdapCodec;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapDerefAliases, LdapExtendedRequest, LdapMsg, LdapOp, LdapResult, LdapResultCode,
    LdapSearchRequest, LdapSearchResultEntry,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use tokio_util::codec::{Decoder, Encoder};

/// Bytes of one message: an entry who is in ten thousand groups.
const MESSAGE_MAX: usize = 2 << 20;

/// Nested elements; an entry has five.
const DEPTH_MAX: usize = 16;

/// Pages in a row without an entry. Active Directory sends some where its filter finds nothing.
const EMPTY_PAGES_MAX: usize = 1000;

/// Bytes read at a time.
const CHUNK: usize = 16 << 10;

/// Characters of the directory's own words that a message repeats.
const WORDS_SHOWN: usize = 160;

/// What asks a server to go on in TLS (RFC 4511, section 4.14).
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

enum Stream {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

impl Stream {
    fn both(&mut self) -> &mut dyn ReadWrite {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => stream,
        }
    }
}

trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

/// An open connection, which has said who it is.
pub struct Connection {
    stream: Stream,
    codec: LdapCodec,
    received: BytesMut,
    /// Of the last request.
    id: i32,
}

impl Connection {
    /// Connects, and where the settings say so becomes private before anything else is said.
    pub fn open(address: &Address, tls: impl FnOnce() -> Result<ClientConfig, BadAnswer>) -> Result<Self, BadAnswer> {
        let mut connection = Connection {
            stream: Stream::Plain(Socket::connect(address)?),
            codec: LdapCodec::new(Some(MESSAGE_MAX), Some(DEPTH_MAX)),
            received: BytesMut::new(),
            id: 0,
        };
        match address.tls {
            Tls::None => Ok(connection),
            Tls::Whole => connection.private(address, tls()?),
            Tls::Started => {
                connection.start_tls()?;
                connection.private(address, tls()?)
            }
        }
    }

    fn start_tls(&mut self) -> Result<(), BadAnswer> {
        let request = LdapExtendedRequest { name: START_TLS.to_owned(), value: None };
        match self.ask(LdapOp::ExtendedRequest(request), Vec::new())? {
            LdapOp::ExtendedResponse(response) => done("does not start TLS", &response.res)?,
            other => return Err(out_of_step(&other)),
        }
        // What came before TLS was sent by anybody.
        if self.received.is_empty() {
            Ok(())
        } else {
            Err(BadAnswer::Protocol("sent more before TLS began".to_owned()))
        }
    }

    fn private(mut self, address: &Address, config: ClientConfig) -> Result<Self, BadAnswer> {
        let Stream::Plain(mut socket) = self.stream else { return Ok(self) };
        let bad = |what: String| BadAnswer::Tls(shown(&what, WORDS_SHOWN));
        let name = ServerName::try_from(address.host.clone()).map_err(|error| bad(error.to_string()))?;
        let mut session = ClientConnection::new(Arc::new(config), name).map_err(|error| bad(error.to_string()))?;
        // Here and not with the first byte of a request, so that a bad certificate is called one.
        while session.is_handshaking() {
            session.complete_io(&mut socket).map_err(|error| bad(error.to_string()))?;
        }
        self.stream = Stream::Tls(Box::new(StreamOwned::new(session, socket)));
        Ok(self)
    }

    /// Says who is asking.
    pub fn bind(&mut self, bind: &Bind, password: String) -> Result<(), BadAnswer> {
        let request = LdapBindRequest { version: 3, dn: bind.dn.clone(), cred: LdapBindCred::Simple(password) };
        match self.ask(LdapOp::BindRequest(request), Vec::new())? {
            LdapOp::BindResponse(response) => done("does not let bind_dn in", &response.res),
            other => Err(out_of_step(&other)),
        }
    }

    /// Hands every entry to `each`, page by page, to the last one. Anything short of that is an error.
    pub fn search(
        &mut self,
        settings: &Ldap,
        each: &mut dyn FnMut(LdapSearchResultEntry) -> Result<(), BadAnswer>,
        reference: &mut dyn FnMut(&[String]) -> Result<(), BadAnswer>,
    ) -> Result<(), BadAnswer> {
        let (mut cookie, mut empty) = (Vec::new(), 0);
        loop {
            let request = LdapOp::SearchRequest(LdapSearchRequest {
                base: settings.base.clone(),
                scope: settings.scope.clone(),
                aliases: LdapDerefAliases::Never,
                sizelimit: 0,
                timelimit: i32::try_from(READING_MAX.as_secs()).unwrap_or_default(),
                typesonly: false,
                filter: settings.filter.clone(),
                attrs: settings.attributes(),
            });
            let page = LdapControl::SimplePagedResults { size: i64::from(settings.page), cookie };
            self.send(request, vec![page])?;
            let mut entries = 0;
            let end = loop {
                let LdapMsg { op, ctrl, .. } = self.receive()?;
                match op {
                    LdapOp::SearchResultEntry(entry) => {
                        entries += 1;
                        each(entry)?;
                    }
                    LdapOp::SearchResultReference(elsewhere) => reference(&elsewhere.uris)?,
                    LdapOp::SearchResultDone(result) => {
                        done("ends the search with", &result)?;
                        break ctrl;
                    }
                    other => return Err(out_of_step(&other)),
                }
            };
            empty = if entries == 0 { empty + 1 } else { 0 };
            if empty > EMPTY_PAGES_MAX {
                return Err(BadAnswer::Protocol(format!("sent {empty} pages in a row with nothing in them")));
            }
            let next = end.into_iter().find_map(|control| match control {
                LdapControl::SimplePagedResults { cookie, .. } => Some(cookie),
                _ => None,
            });
            // A server without pages sends everything at once, and says nothing of a next one.
            cookie = match next {
                Some(next) if !next.is_empty() => next,
                _ => return Ok(()),
            };
        }
    }

    /// Takes leave; nobody waits for an answer to that.
    pub fn close(mut self) {
        let _ = self.send(LdapOp::UnbindRequest, Vec::new());
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }

    fn ask(&mut self, request: LdapOp, controls: Vec<LdapControl>) -> Result<LdapOp, BadAnswer> {
        self.send(request, controls)?;
        Ok(self.receive()?.op)
    }

    fn send(&mut self, op: LdapOp, ctrl: Vec<LdapControl>) -> Result<(), BadAnswer> {
        self.id += 1;
        let mut bytes = BytesMut::new();
        let message = LdapMsg { msgid: self.id, op, ctrl };
        self.codec
            .encode(message, &mut bytes)
            .map_err(|error| BadAnswer::Protocol(format!("cannot be asked: {error}")))?;
        let stream = self.stream.both();
        stream.write_all(&bytes).and_then(|()| stream.flush()).map_err(lost)
    }

    /// The next message that answers the last request.
    fn receive(&mut self) -> Result<LdapMsg, BadAnswer> {
        loop {
            let decoded = self.codec.decode(&mut self.received).map_err(|error| {
                BadAnswer::Protocol(format!(
                    "sent what is no LDAP, or more than is read at once: {}",
                    shown(&error.to_string(), WORDS_SHOWN)
                ))
            })?;
            match decoded {
                Some(message) if message.msgid == self.id => return Ok(message),
                // Sent to nobody's question: it hangs up (RFC 4511, section 4.4.1).
                Some(LdapMsg { msgid: 0, op: LdapOp::ExtendedResponse(notice), .. }) => {
                    return Err(BadAnswer::Lost(format!("it hangs up: {}", words(&notice.res))));
                }
                Some(message) => return Err(out_of_step(&message.op)),
                None => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> Result<(), BadAnswer> {
        let mut chunk = [0; CHUNK];
        let read = self.stream.both().read(&mut chunk).map_err(lost)?;
        if read == 0 {
            return Err(BadAnswer::Lost("it hung up in the middle".to_owned()));
        }
        self.received.extend_from_slice(chunk.get(..read).unwrap_or_default());
        Ok(())
    }
}

fn lost(error: std::io::Error) -> BadAnswer {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => BadAnswer::Slow,
        ErrorKind::UnexpectedEof => BadAnswer::Lost("it hung up in the middle".to_owned()),
        _ => BadAnswer::Lost(shown(&error.to_string(), WORDS_SHOWN)),
    }
}

/// What ends with anything but success is not whole.
fn done(what: &'static str, result: &LdapResult) -> Result<(), BadAnswer> {
    match result.code {
        LdapResultCode::Success => Ok(()),
        _ => Err(BadAnswer::Refused { what, words: words(result) }),
    }
}

/// `SizeLimitExceeded: what the server says`
fn words(result: &LdapResult) -> String {
    let message = shown(&result.message, WORDS_SHOWN);
    if message.is_empty() { format!("{:?}", result.code) } else { format!("{:?}: {message}", result.code) }
}

fn out_of_step(op: &LdapOp) -> BadAnswer {
    let name = format!("{op:?}");
    let name = name.split(['(', ' ']).next().unwrap_or_default();
    BadAnswer::Protocol(format!("answered something else than was asked: {name}"))
}
