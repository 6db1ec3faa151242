# Seed 5329 (25 November 2026): the compiled engine let a rule about the present time hold for any Integer.
actor User {}
resource Doc { permissions = ["literal", "stored", "later", "bound"]; }
at(@current_unix_time) if switch("on");
has_permission(_: User, "literal", _: Doc) if at(-9223372036854775807);
has_permission(_: User, "stored", doc: Doc) if time(doc, n) and at(n);
has_permission(_: User, "later", doc: Doc) if at(n) and time(doc, m) and m > n;
has_permission(_: User, "bound", _: Doc) if at(n) and n > 1000000000 and n < 4102444800;
test "on" {
  setup { switch("on"); time(Doc{"past"}, 1000000000); time(Doc{"future"}, 4102444800); }
  assert_not allow(User{"u"}, "literal", Doc{"past"});
  assert_not allow(User{"u"}, "stored", Doc{"past"});
  assert_not allow(User{"u"}, "stored", Doc{"future"});
  assert allow(User{"u"}, "later", Doc{"future"});
  assert_not allow(User{"u"}, "later", Doc{"past"});
  assert allow(User{"u"}, "bound", Doc{"past"});
}
test "off" {
  setup { time(Doc{"future"}, 4102444800); }
  assert_not allow(User{"u"}, "bound", Doc{"future"});
  assert_not allow(User{"u"}, "later", Doc{"future"});
}
