# Rows: boolean literals, as arguments and as conditions.

actor User {}
resource Switch {}

is_on(Switch{"a"}, true);
is_on(Switch{"b"}, false);
always(_: Switch) if true;
known(switch: Switch) if is_on(switch, _) and not false;
broken(switch: Switch) if is_cracked(switch) or known(switch) and false;

allow(_: User, "light", switch: Switch) if is_on(switch, true);
allow(_: User, "dark", switch: Switch) if is_on(switch, value) and value = false;
allow(_: User, "any", switch: Switch) if is_on(switch, value) and value in [true, false];
allow(_: User, "press", switch: Switch) if always(switch) and known(switch) and not broken(switch);

test "conditions that always or never hold" {
  setup { is_cracked(Switch{"b"}); }
  assert always(_: Switch);
  assert known(switch: Switch) iff switch in [Switch{"a"}, Switch{"b"}];
  assert broken(switch: Switch) iff switch = Switch{"b"};
  assert allow(User{"u"}, "press", Switch{"a"});
  assert_not allow(User{"u"}, "press", Switch{"b"});
  assert_not allow(User{"u"}, "press", Switch{"c"});
}

test "true and false are two values" {
  assert is_on(Switch{"a"}, value: Boolean) iff value = true;
  assert is_on(Switch{"b"}, value: Boolean) iff value = false;
  assert allow(User{"u"}, "light", switch: Switch) iff switch = Switch{"a"};
  assert allow(User{"u"}, "light", Switch{"a"});
  assert_not allow(User{"u"}, "light", Switch{"b"});
  assert allow(User{"u"}, "dark", Switch{"b"});
  assert_not allow(User{"u"}, "dark", Switch{"a"});
  assert allow(User{"u"}, "any", switch: Switch) iff switch in [Switch{"a"}, Switch{"b"}];
  assert allow(User{"u"}, "any", Switch{"a"});
  assert_not allow(User{"u"}, "any", Switch{"c"});
}
