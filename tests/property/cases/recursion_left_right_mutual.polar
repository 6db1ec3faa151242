# The same relation by left recursion, by right recursion, and by two predicates that ask each other.
actor User {}
resource Doc { permissions = ["left", "right", "odd", "even"]; }
left(x: Doc, y: Doc) if next(x, y);
left(x: Doc, z: Doc) if left(x, y) and next(y, z);
right(x: Doc, y: Doc) if next(x, y);
right(x: Doc, z: Doc) if next(x, y) and right(y, z);
odd(x: Doc, y: Doc) if next(x, y);
odd(x: Doc, z: Doc) if next(x, y) and even(y, z);
even(x: Doc, z: Doc) if next(x, y) and odd(y, z);
has_permission(user: User, "left", doc: Doc) if sees(user, top) and left(top, doc);
has_permission(user: User, "right", doc: Doc) if sees(user, top) and right(top, doc);
has_permission(user: User, "odd", doc: Doc) if sees(user, top) and odd(top, doc);
has_permission(user: User, "even", doc: Doc) if sees(user, top) and even(top, doc);
test "path with a circle of two at its end" {
  setup {
    next(Doc{"a"}, Doc{"b"}); next(Doc{"b"}, Doc{"c"}); next(Doc{"c"}, Doc{"d"}); next(Doc{"d"}, Doc{"c"});
    sees(User{"ann"}, Doc{"a"});
  }
  assert_not allow(User{"ann"}, "left", Doc{"a"});
  assert allow(User{"ann"}, "left", Doc{"d"});
  assert_not allow(User{"ann"}, "right", Doc{"a"});
  assert allow(User{"ann"}, "right", Doc{"d"});
  assert allow(User{"ann"}, "odd", Doc{"b"});
  assert_not allow(User{"ann"}, "even", Doc{"b"});
  assert allow(User{"ann"}, "even", Doc{"c"});
  assert_not allow(User{"ann"}, "odd", Doc{"c"});
}
