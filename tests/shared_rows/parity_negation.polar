# Row: parity, negation. The order in which conditions are written does not matter.

actor User {}
resource Song {}

allow(user: User, "first", song: Song) if not is_muted(song) and likes(user, song);
allow(user: User, "last", song: Song) if likes(user, song) and not is_muted(song);
allow(user: User, "unknown", song: Song) if
  is_listed(song) and is_user(user) and not (artist matches String and sings(artist, song));

test "first or last" {
  setup {
    likes(User{"u"}, Song{"loud"});
    likes(User{"u"}, Song{"quiet"});
    is_muted(Song{"quiet"});
  }
  assert allow(User{"u"}, "first", Song{"loud"});
  assert allow(User{"u"}, "last", Song{"loud"});
  assert_not allow(User{"u"}, "first", Song{"quiet"});
  assert_not allow(User{"u"}, "last", Song{"quiet"});
  assert_not allow(User{"v"}, "first", Song{"loud"});
}

test "no one at all" {
  setup {
    is_user(User{"u"});
    is_listed(Song{"folk"});
    is_listed(Song{"hit"});
    sings("elvis", Song{"hit"});
  }
  assert allow(User{"u"}, "unknown", Song{"folk"});
  assert_not allow(User{"u"}, "unknown", Song{"hit"});
}
