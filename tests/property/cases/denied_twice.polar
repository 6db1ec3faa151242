# What is denied twice gives values, as if it were asked: those of other types must not be among them.
actor User {}
actor Team {}
resource Doc { permissions = ["read", "share"]; }
declare trusts(Actor, User);
declare badge(Actor, String);
vouched(user: User) if badge(user, "gold") and not is_gone(user);
vouched(user: User) if badge(user, "silver") and not is_barred(user);
distrusted(one: User, user: User) if not trusts(one, user);
has_permission(user: User, "read", _: Doc) if vouched(one) and not distrusted(one, user);
has_permission(user: User, "share", doc: Doc) if
  is_shared(doc, user) and vouched(one) and not not one in [User{"bob"}, Team{"t"}];
test "a team is no user" {
  setup {
    trusts(Team{"t"}, User{"ann"}); badge(Team{"t"}, "gold"); is_shared(Doc{"d"}, User{"ann"});
  }
  assert_not allow(User{"ann"}, "read", Doc{"d"});
  assert_not allow(User{"ann"}, "share", Doc{"d"});
}
test "a user is one" {
  setup {
    trusts(User{"bob"}, User{"ann"}); badge(User{"bob"}, "gold"); is_shared(Doc{"d"}, User{"ann"});
  }
  assert allow(User{"ann"}, "read", Doc{"d"});
  assert allow(User{"ann"}, "share", Doc{"d"});
}
