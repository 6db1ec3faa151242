# Row: two_rule_bodies. Two rules with one head, and each one is enough.

actor Member {}
resource Pool {}

allow(member: Member, "swim", pool: Pool) if has_ticket(member, pool);
allow(member: Member, "swim", pool: Pool) if
  friend matches Member and is_friend(member, friend) and has_ticket(friend, pool);

test "either" {
  setup {
    has_ticket(Member{"a"}, Pool{"p"});
    is_friend(Member{"b"}, Member{"a"});
    is_friend(Member{"c"}, Member{"b"});
  }
  assert allow(member: Member, "swim", Pool{"p"}) iff member in [Member{"a"}, Member{"b"}];
  assert allow(Member{"a"}, "swim", Pool{"p"});
  assert allow(Member{"b"}, "swim", Pool{"p"});
  # Only one step, and only in this direction.
  assert_not allow(Member{"c"}, "swim", Pool{"p"});
}
