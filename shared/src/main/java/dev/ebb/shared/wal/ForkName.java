package dev.ebb.shared.wal;

/** A relation's files ({@code ForkNumber} of {@code src/include/common/relpath.h}). */
public enum ForkName {
  MAIN("main"),
  FSM("fsm"),
  VM("vm"),
  INIT("init");

  private static final ForkName[] ALL = values();

  private final String text;

  ForkName(String text) {
    this.text = text;
  }

  static int count() {
    return ALL.length;
  }

  static ForkName ofNumber(int number) {
    return ALL[number];
  }

  /** As in file names and in {@code pg_waldump}. */
  @Override
  public String toString() {
    return text;
  }
}
