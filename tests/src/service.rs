//! `keyring-sync serve` beside a product, and requests to it as identity systems send them.

use crate::process::Outcome;
use crate::product::Product;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running service. It ends with the value.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub url: String,
}

/// An answer: its status, and its body as text.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Service {
    /// Starts it with the configuration as it is, which must tell it to listen on port 0 of loopback.
    pub fn start(product: &Product) -> Service {
        let mut child = Command::new(product.programs().join("keyring-sync"))
            .arg("--config")
            .arg(product.root().join("keyring-sync.yaml"))
            .arg("serve")
            .stderr(Stdio::piped())
            .spawn()
            .expect("keyring-sync");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).expect("a log") > 0, "the service ended: {said}");
            said.push_str(&line);
            if let Some((_, at)) = line.split_once("at=") {
                break at.split_whitespace().next().expect("an address").to_owned();
            }
        };
        // Read to the end, or the service would stand still with a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Service { child, url: format!("http://{address}") }
    }

    /// Sends one request; a connection that breaks is an error.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = agent.run(request.body(body)?)?;
        Ok(Answer { status: response.status().as_u16(), body: response.body_mut().read_to_string()? })
    }

    /// Ends it as the kernel would: nothing is finished, nobody is told.
    pub fn interrupt(&self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(id, Signal::KILL).expect("SIGKILL");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The secret of a new token of this source.
pub fn token(product: &Product, source: &str) -> String {
    let made: Outcome = product.keyring_sync(&["token", "add", source], b"");
    let token = made.stdout.lines().find(|line| line.starts_with("csk_"));
    token.unwrap_or_else(|| panic!("no token: {made:?}")).to_owned()
}
