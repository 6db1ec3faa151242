# Row: parity, arities. The same name with more or fewer arguments is something else.

actor User {}
resource Note {}

sees(user: User) if is_awake(user);
sees(user: User, note: Note) if sees(user) and is_on(note, "wall");
sees(user: User, note: Note, line: Integer) if sees(user, note) and has_line(note, line);

allow(user: User, "read") if sees(user);
allow(user: User, "read", note: Note) if sees(user, note);
allow(user: User, "quote", note: Note) if sees(user, note, line) and line > 0;

test "one, two and three" {
  setup {
    is_awake(User{"u"});
    is_on(Note{"n"}, "wall");
    has_line(Note{"n"}, 1);
    has_line(Note{"m"}, 1);
    is_on(Note{"o"}, "wall");
    has_line(Note{"o"}, 0);
  }
  assert sees(user: User) iff user = User{"u"};
  assert sees(User{"u"}, note: Note) iff note in [Note{"n"}, Note{"o"}];
  assert sees(User{"u"}, Note{"n"}, line: Integer) iff line = 1;
  assert allow(User{"u"}, "read");
  assert_not allow(User{"v"}, "read");
  assert allow(User{"u"}, "read", Note{"n"});
  assert allow(User{"u"}, "quote", Note{"n"});
  assert_not allow(User{"u"}, "read", Note{"m"});
  assert_not allow(User{"u"}, "quote", Note{"m"});
  assert_not allow(User{"u"}, "quote", Note{"o"});
  assert_not allow(User{"v"}, "read", Note{"n"});
}
