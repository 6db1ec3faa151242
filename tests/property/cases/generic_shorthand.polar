# role and permission without quotes, along relations that lead in a circle and to a type that extends another.
actor User {}
actor Bot extends User {}
global { roles = ["staff"]; }
resource Doc {
  roles = ["low", "top"]; permissions = ["read", "write"]; relations = { up: Doc, owner: User };
  "low" if "top"; role if role on "up"; permission if permission on "up"; permission if global "staff";
  "read" if role; "write" if "owner" on "up";
}
resource Memo extends Doc { permissions = ["pin"]; "pin" if "top"; }
test "along" {
  setup {
    has_relation(Memo{"m"}, "up", Doc{"d"}); has_relation(Doc{"d"}, "up", Memo{"m"}); has_relation(Doc{"e"}, "up", Doc{"d"});
    has_relation(Doc{"d"}, "owner", Bot{"x"}); has_role(User{"ann"}, "top", Doc{"d"}); has_role(Bot{"s"}, "staff");
  }
  assert allow(User{"ann"}, "pin", Memo{"m"});
  assert allow(User{"ann"}, "read", Doc{"e"});
  assert_not allow(User{"ann"}, "write", Doc{"e"});
  assert allow(Bot{"x"}, "write", Doc{"e"});
  assert_not allow(User{"x"}, "write", Doc{"e"});
  assert allow(Bot{"x"}, "write", Memo{"m"});
  assert allow(Bot{"x"}, "write", Doc{"d"});
  assert_not allow(Bot{"x"}, "read", Doc{"d"});
  assert allow(Bot{"s"}, "pin", Memo{"other"});
}
