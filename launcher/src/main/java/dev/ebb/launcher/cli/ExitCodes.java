package dev.ebb.launcher.cli;

/** What {@code ebb} exits with. */
final class ExitCodes {
  static final int OK = 0;

  /** It did not work; the message says why. */
  static final int FAILURE = 1;

  /** The command line or the configuration is wrong. */
  static final int USAGE = 2;

  /** No server answers. */
  static final int UNREACHABLE = 3;

  private ExitCodes() {}
}
