# Orders of negative and of the largest Integers; values of other types that look the same.
actor User {}
resource Doc { permissions = ["less", "most", "same", "flag"]; }
has_permission(_: User, "less", doc: Doc) if size(doc, n) and n < -2;
has_permission(_: User, "most", doc: Doc) if size(doc, n) and n >= 9223372036854775807;
has_permission(_: User, "same", doc: Doc) if size(doc, n) and limit(doc, n);
has_permission(_: User, "flag", doc: Doc) if mark(doc, true) and not mark(doc, false);
declare mark(Doc, Boolean);
declare mark(Doc, String);
test "integers" {
  setup {
    size(Doc{"a"}, -9223372036854775807); size(Doc{"b"}, 9223372036854775807); size(Doc{"c"}, 9007199254740993);
    size(Doc{"d"}, -2); size(Doc{"e"}, -10); limit(Doc{"c"}, 9007199254740992); limit(Doc{"e"}, -10);
    mark(Doc{"a"}, true); mark(Doc{"b"}, "true"); mark(Doc{"c"}, true); mark(Doc{"c"}, false);
  }
  assert allow(User{"x"}, "less", Doc{"a"});
  assert_not allow(User{"x"}, "less", Doc{"d"});
  assert allow(User{"x"}, "less", Doc{"e"});
  assert allow(User{"x"}, "most", Doc{"b"});
  assert_not allow(User{"x"}, "most", Doc{"c"});
  assert_not allow(User{"x"}, "same", Doc{"c"});
  assert allow(User{"x"}, "same", Doc{"e"});
  assert allow(User{"x"}, "flag", Doc{"a"});
  assert_not allow(User{"x"}, "flag", Doc{"b"});
  assert_not allow(User{"x"}, "flag", Doc{"c"});
}
