# Rows: results, result_permutations. All solutions count, and the order of rules and facts does not.

actor Clerk {}
resource Desk {}

declare has_number(Desk, Integer);

serves(Clerk{"ann"}, 3);
serves(Clerk{"ann"}, 1);
serves(Clerk{"ann"}, 2);
serves(Clerk{"bob"}, number: Integer) if is_extra(number);
is_extra(2);
is_extra(4);

allow(clerk: Clerk, "sit", desk: Desk) if has_number(desk, number) and serves(clerk, number);

test "every solution" {
  setup { has_number(Desk{"one"}, 1); has_number(Desk{"two"}, 2); has_number(Desk{"four"}, 4); }
  assert serves(Clerk{"ann"}, number: Integer) iff number in [1, 2, 3];
  assert serves(Clerk{"bob"}, number: Integer) iff number in [4, 2];
  assert allow(Clerk{"ann"}, "sit", Desk{"one"});
  assert allow(Clerk{"ann"}, "sit", Desk{"two"});
  assert allow(Clerk{"bob"}, "sit", Desk{"two"});
  assert allow(Clerk{"bob"}, "sit", Desk{"four"});
  assert_not allow(Clerk{"ann"}, "sit", Desk{"four"});
  assert_not allow(Clerk{"bob"}, "sit", Desk{"one"});
  assert_not serves(Clerk{"ann"}, 4);
}

test "a third one" {
  setup { has_number(Desk{"three"}, 3); }
  assert allow(Clerk{"ann"}, "sit", Desk{"three"});
}
