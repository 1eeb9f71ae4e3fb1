package dev.ebb.shared.wal;

/** A relation's files ({@code ForkNumber} of {@code src/include/common/relpath.h}). */
public enum ForkName {
  MAIN(0, "main"),
  FSM(1, "fsm"),
  VM(2, "vm"),
  INIT(3, "init");

  private static final ForkName[] ALL = values();

  private final int number;
  private final String text;

  ForkName(int number, String text) {
    this.number = number;
    this.text = text;
  }

  /** {@code ForkNumber}. */
  public int number() {
    return number;
  }

  /** How many there are. */
  public static int count() {
    return ALL.length;
  }

  /** The one with this number, 0 to 3. */
  public static ForkName ofNumber(int number) {
    return ALL[number];
  }

  /** As in file names and in {@code pg_waldump}. */
  @Override
  public String toString() {
    return text;
  }
}
