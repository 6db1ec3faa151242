# reach asks itself twice; facts in a circle, and a loop of one.
actor User {}
resource Doc { permissions = ["read"]; }
reach(x: Doc, y: Doc) if next(x, y);
reach(x: Doc, z: Doc) if reach(x, y) and reach(y, z);
has_permission(user: User, "read", doc: Doc) if sees(user, top) and reach(top, doc);
test "circle" {
  setup {
    next(Doc{"a"}, Doc{"b"}); next(Doc{"b"}, Doc{"c"}); next(Doc{"c"}, Doc{"a"}); next(Doc{"z"}, Doc{"z"});
    sees(User{"ann"}, Doc{"b"}); sees(User{"bob"}, Doc{"z"});
  }
  assert allow(User{"ann"}, "read", Doc{"b"});
  assert allow(User{"ann"}, "read", Doc{"a"});
  assert_not allow(User{"ann"}, "read", Doc{"z"});
  assert allow(User{"bob"}, "read", Doc{"z"});
  assert_not allow(User{"bob"}, "read", Doc{"a"});
}
