# Row: parity, rule_ordering. A rule about a more special type or a literal does not come before the general one:
# all rules that apply count, wherever they stand.

actor Visitor {}
actor Member extends Visitor {}
actor Patron extends Member {}
resource Museum {}

allow(_: Patron, "touch", museum: Museum) if is_open(museum);
allow(_: Visitor, "enter", museum: Museum) if is_open(museum);
allow(member: Member, "enter", Museum{"annex"}) if has_card(member);
allow(_: Member, "discount", museum: Museum) if is_open(museum);

test "general rules hold for special types too" {
  setup { is_open(Museum{"main"}); has_card(Member{"mo"}); has_card(Patron{"pat"}); }
  assert allow(Visitor{"vi"}, "enter", Museum{"main"});
  assert allow(Member{"mo"}, "enter", Museum{"main"});
  assert allow(Patron{"pat"}, "enter", Museum{"main"});
  assert allow(Member{"mo"}, "enter", Museum{"annex"});
  assert allow(Patron{"pat"}, "enter", Museum{"annex"});
  assert_not allow(Visitor{"vi"}, "enter", Museum{"annex"});
  assert_not allow(Member{"new"}, "enter", Museum{"annex"});
}

test "special rules do not hold for general types" {
  setup { is_open(Museum{"main"}); }
  assert allow(Patron{"pat"}, "touch", Museum{"main"});
  assert allow(Patron{"pat"}, "discount", Museum{"main"});
  assert allow(Member{"mo"}, "discount", Museum{"main"});
  assert allow(who: Visitor, "touch", Museum{"main"}) iff who matches Patron;
  assert allow(who: Visitor, "discount", Museum{"main"}) iff who matches Member;
  assert allow(who: Visitor, "enter", Museum{"main"}) iff who matches Visitor;
  assert_not allow(Patron{"pat"}, "touch", Museum{"closed"});
}
