//! The live list on a terminal, with the words, marks and colours of the page of live calls.

use super::picture::{Picture, called, duration, moment, route, state};
use crate::cli::output::plain;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pbx::event::CallState;
use pbx::language::{Language, Text};
use pbx::text;
use pbx::time::UnixMillis;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};
use web::resource::Call;

static COLUMNS: [(Text, Constraint); 7] = [
    (Text::fixed("STARTED", "发起"), Constraint::Length(9)),
    (Text::fixed("FOR", "时长"), Constraint::Length(8)),
    (Text::fixed("STATE", "状态"), Constraint::Length(11)),
    (Text::fixed("FROM", "主叫"), Constraint::Fill(2)),
    (Text::fixed("TO", "被叫"), Constraint::Fill(3)),
    (Text::fixed("ROUTE", "路由"), Constraint::Fill(2)),
    (Text::fixed("WHY", "原因"), Constraint::Fill(4)),
];

pub(super) fn draw(frame: &mut Frame<'_>, picture: &Picture, language: Language, now: UnixMillis) {
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Line::from(summary(picture, language)), head);
    let titles = COLUMNS.iter().map(|(title, _)| title.get(language).to_owned());
    let table = Table::new(
        picture.rows().map(|it| row(it, language, now)),
        COLUMNS.iter().map(|(_, width)| *width),
    );
    let table = table
        .header(Row::new(titles).style(Style::new().add_modifier(Modifier::UNDERLINED)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut place = TableState::new().with_selected(picture.place());
    frame.render_stateful_widget(table, body, &mut place);
    frame.render_widget(Paragraph::new(foot_line(picture, language)), foot);
}

/// As on the page: started black (which is what the terminal writes with), ringing blue, talking red, released grey.
fn style(state: CallState) -> Style {
    match state {
        CallState::Started => Style::new(),
        CallState::Ringing => Style::new().fg(Color::LightBlue),
        CallState::Answered | CallState::Held => Style::new().fg(Color::LightRed),
        CallState::Released => Style::new().fg(Color::DarkGray),
    }
}

fn row(call: &Call, language: Language, now: UnixMillis) -> Row<'static> {
    let state = state(call);
    let who = if call.caller_name.is_empty() {
        call.caller.clone()
    } else {
        format!("{} {}", call.caller, call.caller_name)
    };
    // Of an answered call everybody knows why it ended.
    let verdict = call.verdict.as_ref().filter(|_| call.answered_at.is_none());
    let cells = [
        clock(&call.started_at),
        duration(call, now),
        format!("{} {}", state.mark(), state.text().get(language)),
        who,
        called(call),
        route(call, language),
        verdict.map_or_else(String::new, |it| it.sentence.get(language).to_owned()),
    ];
    Row::new(cells.map(|it| Cell::from(plain(&it)))).style(style(state))
}

/// By the clock of whoever looks.
fn clock(text: &str) -> String {
    let at = moment(text).and_then(|it| i64::try_from(it.0).ok());
    let at = at.and_then(|it| Timestamp::from_millisecond(it).ok());
    at.map_or_else(String::new, |it| {
        it.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
    })
}

fn summary(picture: &Picture, language: Language) -> String {
    let [started, ringing, answered, held, _] = CallState::ALL.map(|it| picture.count(it));
    let (up, talking) = (started + ringing + answered + held, answered + held);
    let text = text!(
        "calls {up}: {started} started, {ringing} ringing, {talking} talking",
        "当前呼叫{up}：已发起{started}，振铃中{ringing}，通话中{talking}"
    );
    text.get(language).to_owned()
}

fn foot_line(picture: &Picture, language: Language) -> String {
    let text = match (picture.asked(), &picture.notice) {
        (Some(call), _) => text!(
            "Hang up {} -> {}?  y: yes  any other key: no",
            "释放呼叫{} → {}？ y：是 其他键：否",
            call.caller,
            call.dialled
        ),
        (None, Some(notice)) => notice.clone(),
        (None, None) => text!("q: quit  up, down: choose  h: hang up", "q：退出 ↑↓：选择 h：释放"),
    };
    plain(text.get(language))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::picture::tests::call;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;

    fn drawn(picture: &Picture, language: Language) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(120, 6)).unwrap();
        terminal.draw(|frame| draw(frame, picture, language, UnixMillis(15_000))).unwrap();
        terminal.backend().buffer().clone()
    }

    fn text(buffer: &Buffer, row: u16) -> String {
        let cells = (0..buffer.area.width).map(|column| buffer[(column, row)].symbol());
        cells.collect::<String>().replace(' ', "")
    }

    #[test]
    fn states_have_their_word_mark_and_colour() {
        #[rustfmt::skip]
        let table = [
            (CallState::Started,  "○started",  "○已发起", Color::Reset),
            (CallState::Ringing,  "◐ringing",  "◐振铃中", Color::LightBlue),
            (CallState::Answered, "●talking",  "●通话中", Color::LightRed),
            (CallState::Released, "□released", "□已释放", Color::DarkGray),
        ];
        for (state, english, chinese, colour) in table {
            let mut picture = Picture::new(vec![]);
            picture.change(call("a", state));
            let buffer = drawn(&picture, Language::En);
            assert!(text(&buffer, 2).contains(english), "{}", text(&buffer, 2));
            assert_eq!(buffer[(0, 2)].fg, colour, "{state:?}");
            let buffer = drawn(&picture, Language::Zh);
            assert!(text(&buffer, 2).contains(chinese), "{}", text(&buffer, 2));
        }
    }

    #[test]
    fn what_a_phone_says_does_not_move_the_cursor() {
        let mut hostile = call("a", CallState::Ringing);
        hostile.caller_name = "\u{1b}[2J\u{7}x".to_owned();
        let picture = Picture::new(vec![hostile]);
        let row = text(&drawn(&picture, Language::En), 2);
        assert!(row.contains("?[2J?x"), "{row}");
    }

    #[test]
    fn the_question_names_the_call() {
        let mut picture = Picture::new(vec![call("a", CallState::Ringing)]);
        picture.press(super::super::picture::Key::Down);
        picture.press(super::super::picture::Key::HangUp);
        let buffer = drawn(&picture, Language::En);
        assert!(text(&buffer, 5).starts_with("Hangup100->90138?"), "{}", text(&buffer, 5));
    }
}
