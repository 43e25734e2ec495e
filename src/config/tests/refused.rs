//! What is refused before relations are looked at: unknown keys and values their key does not take.

use super::*;

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_likely_one() {
    let file = "\
[clinet]
listen = [\"127.0.0.1:1\"]
[session]
frame = \"64KiB\"
hartbeat = \"10s\"
surprise = 1
[[namespaces]]
match = \"demo\"
histroy = { messages = 1 }
[[namespaces]]
match = \"live\"
history = { mesages = 1 }
";
    let environment = [("STARLING_CLIENT__LISTN", "x"), ("STARLING_A__B", "x")];
    let refused = refusal(file, &environment, &[("log.filtr", "x")]);
    let expected = "\
starling.toml:1:2: there is no key `clinet`; did you mean `client`?
starling.toml:9:1: there is no key `namespaces[0].histroy`; did you mean `namespaces[0].history`?
starling.toml:12:13: there is no key `namespaces[1].history.mesages`; did you mean `namespaces[1].history.messages`?
starling.toml:4:1: there is no key `session.frame`; did you mean `limits.frame`?
starling.toml:5:1: there is no key `session.hartbeat`; did you mean `session.heartbeat`?
starling.toml:6:1: there is no key `session.surprise`; every key is listed in docs/configuration.md
STARLING_CLIENT__LISTN: there is no key `client.listn`; did you mean STARLING_CLIENT__LISTEN?
STARLING_A__B: there is no key `a.b`; every key is listed in docs/configuration.md
command line: there is no key `log.filtr`; did you mean `log.filter`?";
    assert_eq!(refused, expected);
}

#[test]
fn a_value_is_refused_where_it_stands() {
    let cases = [
        (
            "[session]\nheartbeat = 10\n",
            "starling.toml:2:1: session.heartbeat: 10 has no unit; write a number and a unit, such as \"15s\" (units: ms, s, m, h, d)",
        ),
        (
            "[client]\nwebtransport = \"yes\"\n",
            "starling.toml:2:1: client.webtransport: invalid type: string \"yes\", expected a boolean",
        ),
        (
            "[client]\nlisten = [\"127.0.0.1:1\", \"localhost:1\"]\n",
            "starling.toml:2:1: client.listen[1]: \"localhost:1\" is not an IP address and a port; write one such as \"127.0.0.1:4433\" or \"[::]:4433\" (host names are not looked up)",
        ),
        (
            "client = 1\n",
            "starling.toml:1:1: client: is a section; give it keys, not a value",
        ),
        (
            "[[namespaces]]\nkeyed = true\n",
            "starling.toml:1:1: namespaces[0]: missing field `match`",
        ),
        (
            "[[namespaces]]\nmatch = \"a\"\nhistory = { age = \"5\" }\n",
            "starling.toml:3:13: namespaces[0].history.age: 5 has no unit; write a number and a unit, such as \"15s\" (units: ms, s, m, h, d)",
        ),
        (
            "[log]\nformat = \"xml\"\n",
            "starling.toml:2:1: log.format: unknown variant `xml`, expected `text` or `json`",
        ),
        (
            "[log]\nfilter \"info\"\n",
            "starling.toml:2:8: not valid TOML: key with no value, expected `=`",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(refusal(file, &[], &[]), expected);
    }
    let cases = [
        (
            ("STARLING_CLIENT__WEBTRANSPORT", "yes"),
            "STARLING_CLIENT__WEBTRANSPORT: client.webtransport: \"yes\" is not \"true\" or \"false\"",
        ),
        (
            ("STARLING_SLOTS__COUNT", "many"),
            "STARLING_SLOTS__COUNT: slots.count: \"many\" is not a whole number",
        ),
        (
            ("STARLING_CLIENT__TLS", "x"),
            "STARLING_CLIENT__TLS: client.tls: is a section; name one of its keys",
        ),
        (
            ("STARLING_SESSION__WINDOW", "5"),
            "STARLING_SESSION__WINDOW: session.window: 5 has no unit; write a number and a unit, such as \"15s\" (units: ms, s, m, h, d)",
        ),
    ];
    for (variable, expected) in cases {
        assert_eq!(refusal(LEAST, &[variable], &[]), expected);
    }
    let file = "[[auth.keys]]\nid = \"a\"\nalgorithm = \"none\"\n";
    let none = refusal(file, &[], &[]);
    assert!(
        none.contains("auth.keys[0].algorithm: unknown variant `none`"),
        "{none}"
    );
    let file = "[[auth.keys]]\nid = \"a\"\nalgoritm = \"HS256\"\n";
    assert_eq!(
        refusal(file, &[], &[]),
        "starling.toml:3:1: there is no key `auth.keys[0].algoritm`; did you mean `auth.keys[0].algorithm`?"
    );
    assert_eq!(
        refusal(LEAST, &[], &[("namespaces", "demo")]),
        "command line: namespaces: is a list of tables; set it in the configuration file"
    );
}
