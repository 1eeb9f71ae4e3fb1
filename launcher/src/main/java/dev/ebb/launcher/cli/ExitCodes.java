package dev.ebb.launcher.cli;

/** What {@code ebb} exits with. */
public final class ExitCodes {
  public static final int OK = 0;

  /** It did not work; the message says why. */
  public static final int FAILURE = 1;

  /** The command line or the configuration is wrong. */
  public static final int USAGE = 2;

  /** No server answers. */
  public static final int UNREACHABLE = 3;

  /** Ctrl-C, as a shell tells of SIGINT. */
  public static final int INTERRUPTED = 130;

  /** What it prints is not read any more: as a shell tells of SIGPIPE. */
  public static final int NOBODY_READS = 141;

  private ExitCodes() {}
}
