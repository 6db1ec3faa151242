# Row: load_str_with_query. What an inline query would ask on loading is asked by a test.

actor User {}
resource Sum {}

declare equals(Sum, Integer);

is_even(0);
is_even(2);
allow(_: User, "halve", sum: Sum) if equals(sum, n) and is_even(n);

test "loaded" {
  setup { equals(Sum{"two"}, 2); equals(Sum{"one"}, 1); }
  assert is_even(n: Integer) iff n in [0, 2];
  assert is_even(0);
  assert_not is_even(1);
  assert allow(User{"u"}, "halve", Sum{"two"});
  assert_not allow(User{"u"}, "halve", Sum{"one"});
}
