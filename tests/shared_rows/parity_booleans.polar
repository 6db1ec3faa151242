# Row: parity, booleans. Passed on through rules, and no other value is one of them.

actor User {}
resource Form {}

is_valid(form: Form, true) if is_signed(form, true) and is_paid(form, true);
is_valid(form: Form, false) if is_signed(form, false) or is_paid(form, false);

allow(_: User, "send", form: Form) if is_valid(form, true) and not is_valid(form, false);
allow(_: User, "return", form: Form) if is_valid(form, false);

test "true and false" {
  setup {
    is_signed(Form{"good"}, true);
    is_paid(Form{"good"}, true);
    is_signed(Form{"unsigned"}, false);
    is_paid(Form{"unsigned"}, true);
    is_signed(Form{"unpaid"}, true);
    is_paid(Form{"unpaid"}, false);
    is_signed(Form{"odd"}, true);
    is_signed(Form{"odd"}, false);
    is_paid(Form{"odd"}, true);
  }
  assert is_valid(Form{"good"}, value: Boolean) iff value = true;
  assert is_valid(Form{"unsigned"}, value: Boolean) iff value = false;
  assert is_valid(Form{"odd"}, value: Boolean) iff value in [false, true];
  assert allow(_: User, "send", Form{"good"});
  assert allow(User{"u"}, "send", Form{"good"});
  assert_not allow(User{"u"}, "send", Form{"odd"});
  assert_not allow(User{"u"}, "send", Form{"unpaid"});
  assert allow(User{"u"}, "return", Form{"unpaid"});
  assert allow(User{"u"}, "return", Form{"odd"});
  assert_not allow(User{"u"}, "return", Form{"good"});
}
