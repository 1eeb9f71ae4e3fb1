package dev.ebb.computeservice;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * Tells ext4 that the directories in a directory have nothing to do with each other ({@code chattr
 * +T}, {@code EXT4_TOPDIR_FL}), so that each gets its inodes from a part of the disk of its own.
 *
 * <p>Each start makes about a hundred files, each end deletes them. Without a journal ext4 does not
 * use an inode again for a minute or longer after it was freed ({@code recently_deleted} in {@code
 * fs/ext4/ialloc.c}), and looks at all of those for each new file: where computes come and go, that
 * can take longer than the rest of a start.
 */
final class TopDirectory {
  private static final int O_RDONLY_CLOEXEC = 0x80000;
  private static final long FS_IOC_GETFLAGS = 0x80086601L;
  private static final long FS_IOC_SETFLAGS = 0x40086602L;
  private static final int FS_TOPDIR_FL = 0x00020000;

  private static final MethodHandle OPEN =
      function(
          "open",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT));
  private static final MethodHandle IOCTL =
      function(
          "ioctl",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_LONG,
              ValueLayout.ADDRESS));
  private static final MethodHandle CLOSE =
      function("close", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

  private TopDirectory() {}

  @SuppressWarnings("restricted") // the launcher allows native access
  private static MethodHandle function(String name, FunctionDescriptor descriptor) {
    Linker.Option[] options =
        name.equals("close")
            ? new Linker.Option[0]
            : new Linker.Option[] {Linker.Option.firstVariadicArg(2)};
    return Linker.nativeLinker()
        .downcallHandle(
            Linker.nativeLinker().defaultLookup().findOrThrow(name), descriptor, options);
  }

  /** Marks it; false where the file system knows nothing of the kind. */
  static boolean mark(Path directory) throws IOException {
    return with(
        directory,
        (fd, flags) -> {
          if ((int) IOCTL.invokeExact(fd, FS_IOC_GETFLAGS, flags) != 0) {
            return false;
          }
          flags.set(ValueLayout.JAVA_INT, 0, flags.get(ValueLayout.JAVA_INT, 0) | FS_TOPDIR_FL);
          return (int) IOCTL.invokeExact(fd, FS_IOC_SETFLAGS, flags) == 0;
        });
  }

  /** What is done with an open directory. */
  @FunctionalInterface
  private interface Use {
    boolean on(int fd, MemorySegment flags) throws Throwable;
  }

  private static boolean with(Path directory, Use use) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      int fd =
          (int) OPEN.invokeExact(arena.allocateFrom(directory.toString()), O_RDONLY_CLOEXEC, 0);
      if (fd < 0) {
        throw new IOException("cannot open " + directory);
      }
      try {
        // The kernel writes an int, whatever the name of the call says.
        return use.on(fd, arena.allocate(ValueLayout.JAVA_LONG));
      } finally {
        int ignored = (int) CLOSE.invokeExact(fd);
        assert ignored <= 0;
      }
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("the C library cannot be called", e);
    }
  }
}
