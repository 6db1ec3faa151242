# Seed 211 (25 November 2026): the compiled engine found no order for alternatives behind a `not` about every value.
actor User {}
resource Doc { permissions = ["read"]; relations = { home: Doc }; }
marked(_: Doc, _: Integer) if sees(_, _);
chosen(doc: Doc) if
  not marked(doc, 1) and (has_relation(Doc{"top"}, "home", doc) and not gone(Doc{"x"}) or n >= 0 and size(doc, n));
has_permission(_: User, "read", doc: Doc) if chosen(doc);
declare sees(User, Doc);
test "alternatives" {
  setup { has_relation(Doc{"top"}, "home", Doc{"a"}); size(Doc{"b"}, 0); size(Doc{"c"}, -1); }
  assert allow(User{"u"}, "read", Doc{"a"});
  assert allow(User{"u"}, "read", Doc{"b"});
  assert_not allow(User{"u"}, "read", Doc{"c"});
}
test "not" {
  setup { has_relation(Doc{"top"}, "home", Doc{"a"}); sees(User{"u"}, Doc{"z"}); }
  assert_not allow(User{"u"}, "read", Doc{"a"});
}
