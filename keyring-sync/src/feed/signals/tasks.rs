//! What a running service does by itself for a source of security events: fetch events, have the stream verified, look
//! for new keys. Each runs until the runtime ends; whatever is not durable by then comes again.

use super::client::Client;
use super::config::{Poll, Verification};
use super::poll::{self, Conversation, Outcome};
use super::{Receiver, Told, outcome};
use crate::http::Trouble;
use crate::secret;
use crate::serve::{Ended, Shared, now};
use countersign_policy::text::shown;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A transmitter may hold a request open for so long until there is an event; common ones do for 30 or 60 seconds.
const POLL_PATIENCE: Duration = Duration::from_secs(90);

/// For a request to verify the stream.
const ASK_PATIENCE: Duration = Duration::from_secs(15);

/// How often the age of fetched keys is looked at.
const KEYS_LOOK: Duration = Duration::from_secs(600);

/// Bytes of an answer that says nothing.
const EMPTY_MAX: usize = 16 << 10;

/// 128 bits: what a transmitter sends back was asked for.
const STATE_BYTES: usize = 16;

/// Starts what the sources need.
pub(crate) fn start(shared: &Arc<Shared>) {
    for receiver in shared.signals.all() {
        if let Some(settings) = receiver.settings.poll.clone() {
            tokio::spawn(fetch(Arc::clone(shared), Arc::clone(receiver), settings));
        }
        if let Some(settings) = receiver.settings.verification.clone() {
            tokio::spawn(have_verified(Arc::clone(shared), Arc::clone(receiver), settings));
        }
        tokio::spawn(renew_keys(Arc::clone(shared), Arc::clone(receiver)));
    }
}

/// Asks once; blocks. The token is read each time: it may have been changed.
pub(crate) fn ask(
    receiver: &Receiver,
    settings: &Poll,
    conversation: &mut Conversation,
    at_once: bool,
) -> Result<poll::Answer, Trouble> {
    let client = Client::new(receiver.settings.ca_file.as_deref(), POLL_PATIENCE).map_err(Trouble::Odd)?;
    let token = secret::read(&settings.token_file).map_err(|bad| Trouble::Odd(bad.to_string()))?;
    let body = client.post(settings.url.as_str(), &token, &conversation.request(at_once), poll::ANSWER_MAX)?;
    conversation.answered(&body).map_err(|bad| Trouble::Odd(bad.to_string()))
}

/// A token that is no text is refused like any other that cannot be read.
pub(crate) fn text(token: Option<String>) -> String {
    token.unwrap_or_default()
}

async fn fetch(shared: Arc<Shared>, receiver: Arc<Receiver>, settings: Poll) {
    let mut conversation = Conversation::default();
    let (mut failures, mut at_once, mut before) = (0_u32, true, BTreeSet::new());
    loop {
        let begun = Instant::now();
        let (own, poll, mut talk) = (Arc::clone(&receiver), settings.clone(), std::mem::take(&mut conversation));
        // The conversation goes along and comes back: what is to be said outlives an attempt that fails.
        let asked = tokio::task::spawn_blocking(move || {
            let answer = ask(&own, &poll, &mut talk, at_once);
            (talk, answer)
        });
        // Of a fault of ours nothing is left but what is durable; the transmitter says the rest again.
        let (talk, answer) = asked.await.unwrap_or_else(|fault| {
            (
                Conversation::default(),
                Err(Trouble::Odd(format!("a fault of this program: {}", shown(&fault.to_string(), 160)))),
            )
        });
        conversation = talk;
        let answer = match answer {
            Ok(answer) => answer,
            Err(trouble) => {
                failures = failures.saturating_add(1);
                let wait = poll::retry_after(failures);
                tracing::warn!(source = %receiver.source, %trouble, failures, wait_s = wait.as_secs(), "no security events could be fetched");
                tokio::time::sleep(wait).await;
                continue;
            }
        };
        failures = 0;
        let jtis: BTreeSet<String> = answer.sets.iter().map(|(jti, _)| jti.clone()).collect();
        let (mut kept, nothing_new) = (0_usize, jtis.is_subset(&before));
        before = jtis;
        for (jti, token) in answer.sets {
            let received = Instant::now();
            let told = receiver.take(&shared, text(token), Some(jti.clone())).await;
            let ended = match &told {
                Told::Taken => Ended::Changed(received.elapsed()),
                Told::Known => Ended::Read,
                Told::Refused(_) => Ended::Rejected,
                Told::Held(_) | Told::Later(_) | Told::Panicked => Ended::Failed,
            };
            shared.metrics.request(&receiver.source, ended, now());
            tracing::info!(source = %receiver.source, jti = shown(&jti, 80), ?told, "security event");
            let outcome = outcome(told);
            kept += usize::from(outcome == Outcome::Kept);
            conversation.settled(jti, outcome);
        }
        // What was taken is acknowledged at once; then a request may wait for the next event. Neither a transmitter that
        // answers at once without events nor one that repeats itself is asked in a circle.
        let asked_to_wait = !at_once;
        at_once = conversation.has_word() || answer.more;
        if kept > 0 || !before.is_empty() && nothing_new {
            tokio::time::sleep(settings.pause.get()).await;
        } else if before.is_empty() && asked_to_wait {
            tokio::time::sleep(settings.pause.get().saturating_sub(begun.elapsed())).await;
        }
    }
}

async fn have_verified(shared: Arc<Shared>, receiver: Arc<Receiver>, settings: Verification) {
    loop {
        if let Err(trouble) = ask_for_verification(&shared, &receiver, &settings).await {
            tracing::warn!(source = %receiver.source, trouble, "the stream could not be asked to show that it works");
        }
        tokio::time::sleep(settings.every.get()).await;
    }
}

/// Shared Signals 1.0, section 8.1.4.
async fn ask_for_verification(
    shared: &Arc<Shared>,
    receiver: &Arc<Receiver>,
    settings: &Verification,
) -> Result<(), String> {
    let mut state = [0; STATE_BYTES];
    aws_lc_rs::rand::fill(&mut state).map_err(|_| "the system gives no random numbers".to_owned())?;
    let state = hex::encode(state);
    // Before it is sent: the answer may be faster than the reply.
    let (source, asked) = (receiver.source.clone(), state.clone());
    let written = shared.writer.write(move |door| door.tables().asked_source(&source, &asked, door.now()));
    written.await.map_err(|error| error.to_string())?;
    let (own, settings) = (Arc::clone(receiver), settings.clone());
    let asked = tokio::task::spawn_blocking(move || {
        let client = Client::new(own.settings.ca_file.as_deref(), ASK_PATIENCE)?;
        let token = secret::read(&settings.token_file).map_err(|bad| bad.to_string())?;
        let body = json!({"stream_id": settings.stream_id, "state": state});
        client.post(settings.url.as_str(), &token, &body, EMPTY_MAX).map_err(|trouble| trouble.to_string())
    });
    asked.await.map_err(|error| error.to_string())?.map(|_| ())
}

async fn renew_keys(shared: Arc<Shared>, receiver: Arc<Receiver>) {
    loop {
        if receiver.keys.is_old(now()) {
            let own = Arc::clone(&receiver);
            let looked = tokio::task::spawn_blocking(move || own.keys.look(false)).await;
            if let Ok(Ok(())) = looked {
                let own = Arc::clone(&receiver);
                let pinned = shared.writer.write(move |door| own.keys.pin(&door.tables()));
                if let Err(error) = pinned.await {
                    tracing::warn!(source = %receiver.source, %error, "fetched keys could not be kept");
                }
            }
        }
        tokio::time::sleep(KEYS_LOOK).await;
    }
}
