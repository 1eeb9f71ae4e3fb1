package dev.ebb.computeservice.postgres;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * {@code lchown(2)}: one call for each of a skeleton's many files, where the JDK's attribute views
 * take several.
 */
final class Ownership {
  @SuppressWarnings("restricted") // the launcher allows native access
  private static final MethodHandle LCHOWN =
      Linker.nativeLinker()
          .downcallHandle(
              Linker.nativeLinker().defaultLookup().findOrThrow("lchown"),
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT,
                  ValueLayout.ADDRESS,
                  ValueLayout.JAVA_INT,
                  ValueLayout.JAVA_INT));

  private Ownership() {}

  /** Gives a file to a user and a group; a symbolic link itself, not what it points to. */
  static void change(Path path, int uid, int gid) throws IOException {
    int result;
    try (Arena arena = Arena.ofConfined()) {
      result = (int) LCHOWN.invokeExact(arena.allocateFrom(path.toString()), uid, gid);
    } catch (Throwable e) {
      throw new AssertionError("lchown(2) cannot be called", e);
    }
    if (result != 0) {
      throw new IOException("cannot give " + path + " to user " + uid + " and group " + gid);
    }
  }
}
