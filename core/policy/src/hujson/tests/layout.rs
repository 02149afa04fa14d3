//! How texts are laid out.

use crate::hujson::format;

#[track_caller]
fn becomes(text: &str, expected: &str) {
    let once = format(text.as_bytes()).unwrap();
    assert_eq!(once, expected);
    assert_eq!(format(once.as_bytes()).unwrap(), once, "not a fixed point");
}

#[test]
fn a_policy_is_laid_out_as_people_know_it() {
    becomes(
        r#"
// Who is who.
{
  // People.
  "groups": { "group:dev": ["a@example.com","b@example.com"], // the team
  "group:ops":["c@example.com"] },


  "acls": [ // in order
    // Everyone to the web.
    {"action":"accept","src":["*"],"dst":["tag:web:443"]},
    { "action": "accept",
      "proto": "tcp", "src": ["group:dev"], "dst": [ "tag:db:5432" , "tag:cache:*" ] }
    // no more
  ]

}
// the end"#,
        r#"// Who is who.
{
	// People.
	"groups": {
		"group:dev": ["a@example.com", "b@example.com"], // the team
		"group:ops": ["c@example.com"],
	},

	"acls": [ // in order
		// Everyone to the web.
		{"action": "accept", "src": ["*"], "dst": ["tag:web:443"]},
		{
			"action": "accept",
			"proto":  "tcp",
			"src":    ["group:dev"],
			"dst":    ["tag:db:5432", "tag:cache:*"],
		},
		// no more
	],
}
// the end
"#,
    );
}

#[test]
fn plain_json_stays_plain_json() {
    becomes("{\"a\": [\n1, 2], \"b\": {}}", "{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t],\n\t\"b\": {}\n}\n");
    becomes("{\"a\": [\n1, 2,], \"b\": {}}", "{\n\t\"a\": [\n\t\t1,\n\t\t2,\n\t],\n\t\"b\": {},\n}\n");
    becomes("[ 1 , ]", "[1]\n");
}

#[test]
fn empty_brackets_close_at_once() {
    becomes("[{\n}, [ ], {}]", "[\n\t{},\n\t[],\n\t{}\n]\n");
    becomes("[ /* none */ ]", "[/* none */]\n");
    becomes("[\n\n// none\n\n]", "[\n\t// none\n]\n");
    becomes("[ // none\n\n]", "[ // none\n]\n");
}

#[test]
fn long_lines_are_broken_up() {
    let names = |count: usize| vec!["\"abcdefgh\""; count].join(", ");
    becomes(&format!("[{}]", names(8)), &format!("[{}]\n", names(8)));
    becomes(&format!("[{}]", names(9)), &format!("[\n\t{}\n]\n", ["\"abcdefgh\""; 9].join(",\n\t")));
    let long = "x".repeat(200);
    becomes(&format!("{{\"a\":\"{long}\"}}"), &format!("{{\n\t\"a\": \"{long}\"\n}}\n"));
}

#[test]
fn values_stand_in_one_column_among_neighbours() {
    let long = "n".repeat(60);
    becomes(
        &format!("{{\n\"a\":1,\n\"bbb\":2,\n\n\"cc\":3,\n// new\n\"dddd\":4,\n\"e\":[\n5],\n\"ff\":6,\"{long}\":7}}"),
        &format!(
            "{{\n\t\"a\":   1,\n\t\"bbb\": 2,\n\n\t\"cc\": 3,\n\t// new\n\t\"dddd\": 4,\n\t\"e\": [\n\t\t5,\n\t],\n\t\"ff\": 6,\n\
             \t\"{long}\": 7,\n}}\n"
        ),
    );
}

#[test]
fn comments_stay_with_what_they_belong_to() {
    becomes("[1, // one\n2 // two\n, 3 /* three */]", "[\n\t1, // one\n\t2, // two\n\t3, /* three */\n]\n");
    becomes("[1, /* two */ 2 /* too */, 3]", "[1, /* two */ 2 /* too */, 3]\n");
    becomes("[\n/* one */ 1,\n/* two */\n2]", "[\n\t/* one */ 1,\n\t/* two */\n\t2,\n]\n");
    becomes("{\"a\" /* b */ : /* c */ 1}", "{\"a\": /* b */ /* c */ 1}\n");
    becomes("{\"a\": // why\n1}", "{\n\t// why\n\t\"a\": 1,\n}\n");
    becomes("/* a */ {} // b\n// c\n\n\n// d", "/* a */ {} // b\n// c\n\n// d\n");
}

#[test]
fn blocks_move_with_their_lines() {
    becomes(
        "{\n  /*\n   * a\n   *   b\n   */\n  \"a\": 1,\n      /* c\n           d\n         e */\n  \"b\": 2,\n/*\n  f\n    g\n*/}",
        "{\n\t/*\n\t * a\n\t *   b\n\t */\n\t\"a\": 1,\n\t/* c\n\t     d\n\t   e */\n\t\"b\": 2,\n\t/*\n\tf\n\t  g\n\t*/\n}\n",
    );
}

#[test]
fn carriage_returns_and_blank_lines_go() {
    becomes("[\r\n\r\n1, // a\r\n\r\n\r\n\r\n2\r\n\r\n]\r\n\r\n", "[\n\t1, // a\n\n\t2,\n]\n");
}

#[test]
fn layout_does_not_multiply_a_text() {
    let mut text = format!("{{\n\"{}\": 0", "n".repeat(500_000));
    for index in 0..30_000 {
        text.push_str(&format!(",\"{index}\":0"));
    }
    text.push('}');
    assert!(format(text.as_bytes()).unwrap().len() < 2 * text.len());
    let deep = "[".repeat(60) + &"1,\n".repeat(200_000) + &"]".repeat(60);
    let error = format(deep.as_bytes()).unwrap_err();
    assert!(error.message.ends_with("bytes when laid out"), "{error}");
}
