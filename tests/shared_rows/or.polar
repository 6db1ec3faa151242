# Row: or. One alternative is enough, and `and` binds tighter.

actor Child {}
resource Ride {}

allow(child: Child, "ride", ride: Ride) if
  is_tall(child) and is_open(ride) or has_guardian(child, ride);
allow(child: Child, "queue", ride: Ride) if
  is_tall(child) and (is_open(ride) or opens_soon(ride));
allow(child: Child, "watch", ride: Ride) if
  is_open(ride) and is_child(child) or false or opens_soon(ride) and is_child(child);

test "alternatives" {
  setup {
    is_tall(Child{"t"});
    is_child(Child{"t"});
    has_guardian(Child{"s"}, Ride{"closed"});
    is_open(Ride{"open"});
    opens_soon(Ride{"soon"});
  }
  assert allow(Child{"t"}, "ride", Ride{"open"});
  # The guardian is an alternative to both, height and opening.
  assert allow(Child{"s"}, "ride", Ride{"closed"});
  assert_not allow(Child{"t"}, "ride", Ride{"closed"});
  assert_not allow(Child{"s"}, "ride", Ride{"open"});

  assert allow(Child{"t"}, "queue", ride: Ride) iff ride in [Ride{"open"}, Ride{"soon"}];
  assert allow(Child{"t"}, "queue", Ride{"soon"});
  assert_not allow(Child{"s"}, "queue", Ride{"soon"});

  assert allow(Child{"t"}, "watch", Ride{"soon"});
  assert allow(Child{"t"}, "watch", Ride{"open"});
  assert_not allow(Child{"s"}, "watch", Ride{"open"});
}
