# One name with 0, 1, 2 and 5 arguments.
actor User {}
resource Doc { permissions = ["none", "one", "two", "five"]; }
p() if p(_, _);
p(user: User) if p(user, _, 1, "x", true);
has_permission(_: User, "none", _: Doc) if p();
has_permission(user: User, "one", _: Doc) if p(user);
has_permission(user: User, "two", doc: Doc) if p(user, doc);
has_permission(user: User, "five", doc: Doc) if p(user, doc, n, _, b) and n > 0 and b = false;
declare p(User, Doc);
declare p(User, Doc, Integer, String, Boolean);
test "without" {
  setup { p(User{"a"}, Doc{"d"}, 1, "x", true); p(User{"b"}, Doc{"d"}, 2, "x", false); }
  assert_not allow(User{"a"}, "none", Doc{"d"});
  assert allow(User{"a"}, "one", Doc{"e"});
  assert_not allow(User{"b"}, "one", Doc{"e"});
  assert_not allow(User{"a"}, "two", Doc{"d"});
  assert allow(User{"b"}, "five", Doc{"d"});
  assert_not allow(User{"a"}, "five", Doc{"d"});
}
test "with" {
  setup { p(User{"a"}, Doc{"d"}); }
  assert allow(User{"c"}, "none", Doc{"e"});
  assert allow(User{"a"}, "two", Doc{"d"});
  assert_not allow(User{"a"}, "one", Doc{"d"});
}
