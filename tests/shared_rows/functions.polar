# Row: functions. A rule holds if all rules and facts that it asks for hold for the same value.

actor Pilot {}
resource Plane {}

has_licence(Pilot{"amelia"}, Plane{"jet"});
has_licence(Pilot{"amelia"}, Plane{"glider"});
has_licence(Pilot{"orville"}, Plane{"jet"});
is_awake(Pilot{"amelia"});
is_fuelled(Plane{"jet"});

may_take_off(pilot: Pilot, plane: Plane) if
  has_licence(pilot, plane) and is_awake(pilot) and is_fuelled(plane);

allow(pilot: Pilot, "take_off", plane: Plane) if may_take_off(pilot, plane);

test "all of it, about the same values" {
  assert allow(Pilot{"amelia"}, "take_off", Plane{"jet"});
  assert_not allow(Pilot{"amelia"}, "take_off", Plane{"glider"});
  assert_not allow(Pilot{"orville"}, "take_off", Plane{"jet"});
  assert may_take_off(pilot: Pilot, plane: Plane) iff pilot = Pilot{"amelia"} and plane = Plane{"jet"};
}

test "facts of the test and facts of the policy count alike" {
  setup { is_fuelled(Plane{"glider"}); is_awake(Pilot{"orville"}); }
  assert allow(Pilot{"amelia"}, "take_off", Plane{"glider"});
  assert allow(Pilot{"orville"}, "take_off", Plane{"jet"});
  assert_not allow(Pilot{"orville"}, "take_off", Plane{"glider"});
}
