# not over what is reached; for all that is reached; and a not within the recursion.
actor User {}
resource Doc { permissions = ["apart", "all", "open"]; }
reach(x: Doc, y: Doc) if next(x, y);
reach(x: Doc, z: Doc) if reach(x, y) and next(y, z);
free(x: Doc, y: Doc) if next(x, y) and not locked(y);
free(x: Doc, z: Doc) if free(x, y) and next(y, z) and not locked(z);
has_permission(user: User, "apart", doc: Doc) if sees(user, top) and not reach(top, doc);
has_permission(user: User, "all", doc: Doc) if sees(user, doc) and not (reach(doc, other) and not sees(user, other));
has_permission(user: User, "open", doc: Doc) if sees(user, top) and free(top, doc);
test "not" {
  setup {
    next(Doc{"a"}, Doc{"b"}); next(Doc{"b"}, Doc{"a"}); next(Doc{"b"}, Doc{"c"}); next(Doc{"c"}, Doc{"d"});
    sees(User{"ann"}, Doc{"a"}); sees(User{"ann"}, Doc{"d"});
    sees(User{"bob"}, Doc{"c"}); sees(User{"bob"}, Doc{"d"});
    locked(Doc{"c"});
  }
  assert_not allow(User{"ann"}, "all", Doc{"a"});
  assert allow(User{"ann"}, "all", Doc{"d"});
  assert allow(User{"bob"}, "all", Doc{"c"});
  assert allow(User{"ann"}, "apart", Doc{"a"});
  assert_not allow(User{"bob"}, "all", Doc{"a"});
  assert allow(User{"bob"}, "apart", Doc{"c"});
  assert allow(User{"bob"}, "apart", Doc{"a stranger"});
  assert allow(User{"ann"}, "open", Doc{"a"});
  assert_not allow(User{"ann"}, "open", Doc{"c"});
  assert_not allow(User{"ann"}, "open", Doc{"d"});
}
