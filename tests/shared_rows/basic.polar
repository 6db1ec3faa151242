# Row: basic. One block, one role, one permission.

actor User {}

resource Shelf {
  roles = ["librarian"];
  permissions = ["tidy"];
  "tidy" if "librarian";
}

test "basic" {
  setup { has_role(User{"lib"}, "librarian", Shelf{"a"}); }
  assert allow(User{"lib"}, "tidy", Shelf{"a"});
  assert_not allow(User{"lib"}, "tidy", Shelf{"b"});
  assert_not allow(User{"eva"}, "tidy", Shelf{"a"});
}
