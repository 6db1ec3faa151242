# Seeds 5054 and 5089 (25 November 2026): the compiled engine found no order for a `not` with a `_` or a variable of
# its own, next to conditions that share nothing with it.
actor User {}
global { roles = ["staff"]; }
resource Doc { permissions = ["read"]; relations = { owner: User, author: User, up: Doc }; "owner" if "author"; }
resource Room { roles = ["top"]; permissions = ["share"]; }
idle(user: User, doc: Doc) if not has_role(_, "staff") and knows(user, _) and has_relation(doc, "up", _);
has_permission(user: User, "share", _: Room) if has_role(user, "top", room) and room matches Room and not has_relation(_, "owner", user);
has_permission(_: User, "read", doc: Doc) if idle(User{"b"}, doc);
declare knows(User, User);
test "nobody" {
  setup { knows(User{"b"}, User{"c"}); has_relation(Doc{"d"}, "up", Doc{"e"}); has_role(User{"b"}, "top", Room{"r"}); }
  assert allow(User{"a"}, "read", Doc{"d"});
  assert_not allow(User{"a"}, "read", Doc{"e"});
  assert allow(User{"b"}, "share", Room{"s"});
  assert_not allow(User{"c"}, "share", Room{"s"});
}
test "somebody" {
  setup {
    knows(User{"b"}, User{"c"}); has_relation(Doc{"d"}, "up", Doc{"e"}); has_role(User{"b"}, "top", Room{"r"});
    has_role(User{"x"}, "staff"); has_relation(Doc{"d"}, "author", User{"b"});
  }
  assert_not allow(User{"a"}, "read", Doc{"d"});
  assert_not allow(User{"b"}, "share", Room{"s"});
}
