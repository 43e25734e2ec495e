//! The command line as typed.

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_parser_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn what_can_be_typed_is_taken() {
    for line in [
        "starling dev",
        "starling dev --port 5000 --data-dir data",
        "starling serve --config starling.toml --set log.format=json --set node.name=a",
        "starling pub demo:lobby hi",
        "starling pub demo:lobby - --rate 20 --timeout 5s --json",
        "starling pub state:doc value --key k",
        "starling pub state:doc --key k --delete",
        "starling publish demo:lobby hi --url http://a:1,http://b:2 --token t --transport wt",
        "starling sub demo:a demo:b --rewind 10 --count 3 --json --strict",
        "starling sub demo:a --since 0-ab12:7 --transport websocket",
        "starling sub demo:a --since 0-ab12:7:3",
        "starling history demo:a --last 10 --json",
        "starling presence demo:a",
        "starling presence demo:a --watch --count --json --token t --url http://a:1,http://b:2",
        "starling doc get doc:plan",
        "starling doc get plan default --as xml --json --url http://a:1,https://b --token t",
        "starling doc export plan",
        "starling doc import plan plan.update",
        "starling doc import plan -",
        "starling doc stats plan --json",
        "starling doc versions plan --json",
        "starling doc keep plan draft",
        "starling doc export-version plan 3",
        "starling doc restore plan 3",
        "starling doc forget plan 3",
        "starling doc compact plan",
        "starling config check --config starling.toml",
        "starling config show --json",
        "starling token mint --subject anna --allow publish,subscribe:chat:* --allow all:live:* --expires 5m --key-file k",
        "starling token mint --subject anna --allow all:* --config starling.toml --key app",
        "starling token check a.b.c --config starling.toml --json",
        "starling token check - --key-file public.pem --algorithm ES256",
        "starling cluster ca init --dir ca --json",
        "starling cluster ca issue node-a --dir ca --san 10.0.0.1 --san node-a.example --days 30",
        "starling version --json",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (line, kind) in [
        ("starling pub demo:lobby", ErrorKind::MissingRequiredArgument),
        ("starling pub demo:lobby --delete", ErrorKind::MissingRequiredArgument),
        (
            "starling pub demo:lobby x --key k --delete",
            ErrorKind::ArgumentConflict,
        ),
        ("starling pub demo:lobby - --rate 0", ErrorKind::ValueValidation),
        ("starling pub demo:lobby x --timeout 5", ErrorKind::ValueValidation),
        ("starling doc get plan --as map", ErrorKind::MissingRequiredArgument),
        ("starling doc get plan t --as yaml", ErrorKind::InvalidValue),
        ("starling doc import plan", ErrorKind::MissingRequiredArgument),
        ("starling sub", ErrorKind::MissingRequiredArgument),
        (
            "starling sub demo:a --rewind 1 --since e:1",
            ErrorKind::ArgumentConflict,
        ),
        ("starling presence", ErrorKind::MissingRequiredArgument),
        ("starling presence demo:a demo:b", ErrorKind::UnknownArgument),
        ("starling sub demo:a --since 7", ErrorKind::ValueValidation),
        ("starling sub demo:a --transport tcp", ErrorKind::InvalidValue),
        ("starling serve --set node.name", ErrorKind::ValueValidation),
        ("starling dev --port 65536", ErrorKind::ValueValidation),
        ("starling token mint --subject anna", ErrorKind::MissingRequiredArgument),
        (
            "starling token mint --subject a --allow chat",
            ErrorKind::ValueValidation,
        ),
        (
            "starling token check a.b.c --algorithm none",
            ErrorKind::ValueValidation,
        ),
        ("starling cluster ca init", ErrorKind::MissingRequiredArgument),
        ("starling cluster ca issue Node --dir ca", ErrorKind::ValueValidation),
        (
            "starling cluster ca issue a --dir ca --days 0",
            ErrorKind::ValueValidation,
        ),
        ("starling surf", ErrorKind::InvalidSubcommand),
    ] {
        assert_eq!(parse(line).err().map(|error| error.kind()), Some(kind), "{line}");
    }
}

#[test]
fn a_token_is_never_shown() {
    let typed = parse("starling sub demo:a --token sesame").expect("it parses");
    assert!(!format!("{typed:?}").contains("sesame"));
    // The help of a verb shows the values that environment variables have now: not this one's.
    let mut command = Cli::command();
    let verb = command.find_subcommand_mut("sub").expect("a verb");
    let token = verb
        .get_arguments()
        .find(|argument| argument.get_id() == "token")
        .expect("an argument");
    assert!(token.is_hide_env_values_set());
}
