# Rules about every value, asked by others, about strangers, and the start of a recursion.
actor User {}
resource Doc { permissions = ["read", "reach", "quiet"]; }
same(x: Doc, x);
same(x: Doc, z: Doc) if next(x, y) and same(y, z);
guest(_: User) if is_open();
is_open() if switch("on");
has_permission(user: User, "read", _: Doc) if guest(user) and not banned(user);
has_permission(_: User, "reach", doc: Doc) if start(top) and same(top, doc);
has_permission(user: User, "quiet", doc: Doc) if not guest(user) and not same(doc, Doc{"end"});
test "on" {
  setup { switch("on"); banned(User{"bob"}); next(Doc{"a"}, Doc{"b"}); next(Doc{"b"}, Doc{"a"}); start(Doc{"a"}); }
  assert allow(User{"nobody"}, "read", Doc{"nothing"});
  assert_not allow(User{"bob"}, "read", Doc{"nothing"});
  assert allow(User{"bob"}, "reach", Doc{"a"});
  assert allow(User{"bob"}, "reach", Doc{"b"});
  assert_not allow(User{"bob"}, "reach", Doc{"c"});
  assert_not allow(User{"ann"}, "quiet", Doc{"c"});
}
test "off" {
  setup { next(Doc{"a"}, Doc{"end"}); start(Doc{"s"}); }
  assert_not allow(User{"nobody"}, "read", Doc{"nothing"});
  assert allow(User{"bob"}, "reach", Doc{"s"});
  assert allow(User{"bob"}, "quiet", Doc{"c"});
  assert_not allow(User{"bob"}, "quiet", Doc{"a"});
  assert_not allow(User{"bob"}, "quiet", Doc{"end"});
}
