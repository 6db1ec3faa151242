# Row: forall, as a double negation: there is no case in which it does not hold. Also over nothing.

actor Editor {}
resource Issue {}

all_checked(issue: Issue) if
  is_issue(issue) and
  not (article matches String and contains(issue, article) and not is_checked(article));

allow(editor: Editor, "print", issue: Issue) if is_editor(editor) and all_checked(issue);
allow(editor: Editor, "sign", issue: Issue) if
  is_editor(editor) and is_issue(issue) and
  not (
    part matches String and contains(issue, part) and
    not (who matches Editor and wrote(who, part) and is_friend(editor, who))
  );

test "for all" {
  setup {
    is_editor(Editor{"e"});
    is_issue(Issue{"may"});
    contains(Issue{"may"}, "news");
    contains(Issue{"may"}, "sports");
    is_issue(Issue{"june"});
    contains(Issue{"june"}, "news");
    contains(Issue{"june"}, "weather");
    is_issue(Issue{"empty"});
    is_checked("news");
    is_checked("sports");
  }
  assert all_checked(issue: Issue) iff issue in [Issue{"may"}, Issue{"empty"}];
  assert allow(Editor{"e"}, "print", Issue{"may"});
  assert allow(Editor{"e"}, "print", Issue{"empty"});
  assert_not allow(Editor{"e"}, "print", Issue{"june"});
  assert_not allow(Editor{"x"}, "print", Issue{"may"});
}

test "for all there is one" {
  setup {
    is_editor(Editor{"e"});
    is_editor(Editor{"f"});
    is_issue(Issue{"may"});
    contains(Issue{"may"}, "news");
    contains(Issue{"may"}, "sports");
    wrote(Editor{"n"}, "news");
    wrote(Editor{"s"}, "sports");
    is_friend(Editor{"e"}, Editor{"n"});
    is_friend(Editor{"e"}, Editor{"s"});
    is_friend(Editor{"f"}, Editor{"n"});
  }
  assert allow(editor: Editor, "sign", Issue{"may"}) iff editor = Editor{"e"};
  assert allow(Editor{"e"}, "sign", Issue{"may"});
  assert_not allow(Editor{"f"}, "sign", Issue{"may"});
}
