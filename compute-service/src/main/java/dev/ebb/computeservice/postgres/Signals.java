package dev.ebb.computeservice.postgres;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** {@code kill(2)}: the JDK itself sends SIGTERM and SIGKILL only. */
final class Signals {
  static final int SIGINT = 2;
  static final int SIGQUIT = 3;
  static final int SIGKILL = 9;
  static final int SIGTERM = 15;

  @SuppressWarnings("restricted") // the launcher allows native access
  private static final MethodHandle KILL =
      Linker.nativeLinker()
          .downcallHandle(
              Linker.nativeLinker().defaultLookup().findOrThrow("kill"),
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

  private Signals() {}

  /** Sends a signal to one process; false where there is none of that id. */
  static boolean send(long pid, int signal) {
    if (pid <= 1) {
      throw new IllegalArgumentException("not the id of one process: " + pid);
    }
    try {
      return (int) KILL.invokeExact((int) pid, signal) == 0;
    } catch (Throwable e) {
      throw new AssertionError("kill(2) cannot be called", e);
    }
  }
}
