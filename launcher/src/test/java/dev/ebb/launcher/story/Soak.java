package dev.ebb.launcher.story;

/** Whether this is the long run: {@code ./ebb test --soak}. */
final class Soak {
  static final boolean ON = Boolean.getBoolean("ebb.soak");

  private Soak() {}
}
