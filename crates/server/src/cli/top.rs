//! `dialtone top`: the calls as they happen, in a terminal or line by line.

mod draw;
mod picture;

use super::client::{Client, Lines};
use super::output::{Output, plain};
use super::{Common, Exit, Failed, Result, block_on};
use hyper::Method;
use pbx::language::Language;
use pbx::text;
use picture::{Key, Picture};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind};
use serde::Deserialize;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use web::resource::Call;

const EVENTS: &str = "/api/v1/events?types=call.*";
/// How often the durations are drawn anew; changes are drawn at most so often.
const DRAW: Duration = Duration::from_millis(200);
/// Keys that wait while the server is asked.
const KEYS_MAX: usize = 16;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Print a line for each change instead of drawing; also where the output is no terminal.
    #[arg(long)]
    plain: bool,
}

/// An event of the stream. `lost` has another `data`, which is not looked at.
#[derive(Deserialize)]
struct Told {
    r#type: String,
    time: String,
    data: serde_json::Value,
}

impl Told {
    fn call(&self) -> Option<Call> {
        serde_json::from_value(self.data.clone()).ok()
    }
}

pub(super) fn run(common: &Common, arguments: &Arguments, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    let draws = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    block_on(async {
        // The stream first: what changes between it and the list comes with it.
        let events = Client::required(&socket).await?.lines(EVENTS).await?;
        let mut client = Client::required(&socket).await?;
        let calls: Vec<Call> = client.list("/api/v1/calls").await?;
        if arguments.plain || output.is_json() || !draws {
            lines(events, &calls, output).await
        } else {
            let mut screen = Screen::new(&socket, calls, output.language());
            screen.run(events).await
        }
    })
}

/// A line for each call that is up, then one for each change.
async fn lines(mut events: Lines, calls: &[Call], output: &mut Output) -> Result<()> {
    for call in calls {
        show(output, &call.started_at, call)?;
    }
    while let Some(told) = events.event::<Told>().await? {
        match told.call() {
            Some(call) => show(output, &told.time, &call)?,
            None => output.notice(&text!("(events were lost)", "（有一部分事件丢失）")),
        }
    }
    Ok(())
}

fn show(output: &mut Output, time: &str, call: &Call) -> Result<()> {
    if output.is_json() {
        return output.line(&serde_json::to_string(call).map_err(anyhow::Error::from)?);
    }
    let language = output.language();
    output.line(&line(time, call, language))
}

fn line(time: &str, call: &Call, language: Language) -> String {
    let state = picture::state(call);
    let why = call.verdict.as_ref().map_or("", |it| it.sentence.get(language));
    let text = format!(
        "{time}  {}  {} {}  {} -> {}  {}  {why}",
        call.short_id,
        state.mark(),
        state.text().get(language),
        call.caller,
        picture::called(call),
        picture::route(call, language),
    );
    plain(text.trim_end())
}

/// The picture on the terminal.
struct Screen<'a> {
    socket: &'a Path,
    language: Language,
    picture: Picture,
}

impl<'a> Screen<'a> {
    fn new(socket: &'a Path, calls: Vec<Call>, language: Language) -> Self {
        Self { socket, language, picture: Picture::new(calls) }
    }

    async fn run(&mut self, mut events: Lines) -> Result<()> {
        let mut terminal = ratatui::try_init()?;
        let ended = self.follow(&mut terminal, &mut events).await;
        ratatui::restore();
        ended
    }

    async fn follow(
        &mut self,
        terminal: &mut ratatui::DefaultTerminal,
        events: &mut Lines,
    ) -> Result<()> {
        let mut keys = keys()?;
        let mut ticks = tokio::time::interval(DRAW);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let now = crate::clock::now().utc;
                    self.picture.tick(now);
                    terminal.draw(|frame| {
                        draw::draw(frame, &self.picture, self.language, now);
                    })?;
                }
                told = events.event::<Told>() => match told? {
                    Some(told) => self.heard(&told).await?,
                    None => return Err(gone()),
                },
                key = keys.recv() => match key.map(|it| self.picture.press(it)) {
                    Some(picture::Asked::Nothing) => {}
                    Some(picture::Asked::HangUp(id)) => self.hang_up(&id).await?,
                    Some(picture::Asked::Quit) | None => return Ok(()),
                },
            }
        }
    }

    async fn heard(&mut self, told: &Told) -> Result<()> {
        match told.call() {
            Some(call) => self.picture.change(call),
            // Something was lost: the list as it is.
            None if told.r#type == "lost" => {
                let mut client = Client::required(self.socket).await?;
                self.picture.replace(client.list("/api/v1/calls").await?);
            }
            None => {}
        }
        Ok(())
    }

    async fn hang_up(&mut self, id: &str) -> Result<()> {
        let mut client = Client::required(self.socket).await?;
        let path = format!("/api/v1/calls/{id}:hangup");
        let done: std::result::Result<Call, Failed> = client.send(Method::POST, &path, &()).await;
        // A call that has ended meanwhile is what was wanted.
        self.picture.notice = done.err().map(|it| it.message);
        Ok(())
    }
}

fn gone() -> Failed {
    Failed::new(Exit::NotRunning, text!("the server has ended", "服务器已停止"))
}

/// The keys that mean something, from a thread that ends with the process: nothing else ends its wait.
fn keys() -> Result<Receiver<Key>> {
    let (pressed, keys) = channel(KEYS_MAX);
    std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
        while let Ok(event) = event::read() {
            if let Some(key) = key(&event)
                && pressed.blocking_send(key).is_err()
            {
                return;
            }
        }
    })?;
    Ok(keys)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all other keys mean nothing")]
fn key(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let controls = key.modifiers.contains(event::KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if controls => Some(Key::Quit),
        KeyCode::Char('q') => Some(Key::Quit),
        KeyCode::Esc => Some(Key::No),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        KeyCode::Char('h') => Some(Key::HangUp),
        KeyCode::Char('y') => Some(Key::Yes),
        KeyCode::Char('n') => Some(Key::No),
        _ => None,
    }
}
