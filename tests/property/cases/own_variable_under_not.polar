# Seed 340 (25 November 2026): the compiled engine found no order for a rule whose `not` has a variable of its
# own, in a relation that is derived.
actor User {}
actor Bot extends User {}
resource Doc { relations = { owner: User, author: User }; "owner" if "author"; }
allow(_: User, _: String, _: Resource) if not has_relation(_, "owner", Bot{"c"});
test "nobody" {
  setup { has_relation(Doc{"e"}, "author", User{"c"}); has_relation(Doc{"e"}, "author", Bot{"d"}); }
  assert allow(Bot{"x"}, "write", Doc{"d"});
}
test "somebody" {
  setup { has_relation(Doc{"e"}, "author", Bot{"c"}); }
  assert_not allow(Bot{"x"}, "write", Doc{"d"});
}
