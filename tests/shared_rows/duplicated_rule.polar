# Row: duplicated_rule. Saying something twice changes nothing: what holds is a set.

actor Reader {}
resource Book {}

allow(reader: Reader, "read", book: Book) if lent(book, reader);
allow(reader: Reader, "read", book: Book) if lent(book, reader);
is_old(Book{"codex"});
is_old(Book{"codex"});
allow(_: Reader, "smell", book: Book) if is_old(book);

test "twice is once" {
  setup { lent(Book{"b"}, Reader{"r"}); lent(Book{"b"}, Reader{"r"}); }
  assert allow(reader: Reader, "read", Book{"b"}) iff reader = Reader{"r"};
  assert allow(Reader{"r"}, "read", Book{"b"});
  assert_not allow(Reader{"s"}, "read", Book{"b"});
  assert allow(Reader{"s"}, "smell", Book{"codex"});
  assert_not allow(Reader{"s"}, "smell", Book{"b"});
}
