//! A connection that ends: after so long a silence, so long a time, and so many bytes, whoever sends them and however
//! slowly.

use super::BadAnswer;
use super::config::Address;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// From the look-up of the name to the open connection.
const CONNECT_MAX: Duration = Duration::from_secs(15);

/// Between two bytes. A server that searches without an index takes seconds for its first entry.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The whole reading: two hundred thousand entries take a slow directory some minutes.
pub const READING_MAX: Duration = Duration::from_secs(15 * 60);

/// Bytes of the whole reading: two hundred thousand entries of 2 KB.
const BYTES_MAX: u64 = 400 << 20;

pub struct Socket {
    stream: TcpStream,
    until: Instant,
    left: u64,
}

impl Socket {
    pub fn connect(address: &Address) -> Result<Self, BadAnswer> {
        let until = Instant::now() + CONNECT_MAX;
        let mut why = "its name leads nowhere".to_owned();
        let unknown = |error: Error| BadAnswer::Unreachable(error.to_string());
        for target in (address.host.as_str(), address.port).to_socket_addrs().map_err(unknown)? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(&target, left) {
                Ok(stream) => return Ok(Socket { stream, until: Instant::now() + READING_MAX, left: BYTES_MAX }),
                Err(error) => why = error.to_string(),
            }
        }
        Err(BadAnswer::Unreachable(why))
    }

    fn patience(&self) -> std::io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now()).min(SILENCE_MAX);
        if left.is_zero() { Err(Error::from(ErrorKind::TimedOut)) } else { Ok(Some(left)) }
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.stream.set_read_timeout(self.patience()?)?;
        let read = self.stream.read(bytes)?;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| Error::other(format!("it sent more than {BYTES_MAX} bytes")))?;
        Ok(read)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.set_write_timeout(self.patience()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = Socket { stream, until: Instant::now() + READING_MAX, left: 10 };
        (socket, listener.accept().unwrap().0)
    }

    #[test]
    fn nobody_sends_without_end() {
        let (mut socket, mut other) = pair();
        other.write_all(&[0; 20]).unwrap();
        let mut bytes = [0; 8];
        assert_eq!(socket.read(&mut bytes).unwrap(), 8);
        assert!(socket.read(&mut bytes).unwrap_err().to_string().contains("it sent more than"));
    }

    #[test]
    fn nobody_sends_for_ever() {
        let (mut socket, mut other) = pair();
        socket.until = Instant::now() + Duration::from_millis(300);
        let dripping = std::thread::spawn(move || {
            while other.write_all(b".").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let begun = Instant::now();
        let mut bytes = [0; 8];
        let end = loop {
            match socket.read(&mut bytes) {
                Ok(read) => assert!(read > 0),
                Err(error) => break error,
            }
        };
        assert!(matches!(end.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{end}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        drop(socket);
        dripping.join().unwrap();
    }
}
