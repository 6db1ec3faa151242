# Ids that would be taken for others if keys were joined, folded or normalised.
actor User {}
actor Team {}
resource Doc { roles = ["r", "r\", \"s"]; permissions = ["read", "a:b"]; "read" if "r\", \"s"; "a:b" if "r"; }
has_permission(team: Team, "read", doc: Doc) if owns(team, "x", doc);
test "ids" {
  setup {
    has_role(User{"a:b"}, "r", Doc{"c"}); has_role(User{"é"}, "r", Doc{"c"});
    has_role(User{"a\", \"b"}, "r\", \"s", Doc{"c) "});
    has_role(User{"1"}, "r", Doc{"true"}); has_role(User{"back\\slash"}, "r", Doc{"\\\""});
    owns(Team{"User:a"}, "x", Doc{"x, y"});
  }
  assert allow(User{"a:b"}, "a:b", Doc{"c"});
  assert_not allow(User{"a"}, "a:b", Doc{"b:c"});
  assert allow(User{"é"}, "a:b", Doc{"c"});
  assert_not allow(User{"é"}, "a:b", Doc{"c"});
  assert allow(User{"a\", \"b"}, "read", Doc{"c) "});
  assert_not allow(User{"a\", \"b"}, "read", Doc{"c)"});
  assert_not allow(User{"A:B"}, "a:b", Doc{"c"});
  assert allow(User{"1"}, "a:b", Doc{"true"});
  assert allow(User{"back\\slash"}, "a:b", Doc{"\\\""});
  assert_not allow(User{"back\\\\slash"}, "a:b", Doc{"\\\""});
  assert allow(Team{"User:a"}, "read", Doc{"x, y"});
  assert_not allow(User{"a"}, "read", Doc{"x, y"});
}
