# Row: no_applicable_rules. What no rule applies to does not hold; it is no error.

actor Guest {}
resource Room {}

allow(guest: Guest, "sleep", Room{"blue"}) if has_booked(guest);
allow(Guest{"owner"}, "sleep", room: Room) if is_free(room);

test "no rule applies" {
  setup { has_booked(Guest{"gil"}); is_free(Room{"red"}); }
  assert allow(Guest{"gil"}, "sleep", Room{"blue"});
  assert allow(Guest{"owner"}, "sleep", Room{"red"});
  assert_not allow(Guest{"owner"}, "sleep", Room{"blue"});
  assert_not allow(Guest{"owner"}, "sleep", Room{"unheard-of"});
  assert_not allow(Guest{"gus"}, "sleep", Room{"blue"});
  assert allow(Guest{"gil"}, "sleep", room: Room) iff room = Room{"blue"};
}

test "no facts at all" {
  assert_not allow(Guest{"gil"}, "sleep", Room{"blue"});
}
