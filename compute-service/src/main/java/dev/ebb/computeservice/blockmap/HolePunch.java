package dev.ebb.computeservice.blockmap;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * Gives parts of a file back to the disk: {@code fallocate(FALLOC_FL_PUNCH_HOLE)}, which Java does
 * not have. What is punched reads as zeroes; the file's size stays. For one thread.
 */
final class HolePunch implements AutoCloseable {
  private static final int PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01;
  private static final int O_RDWR_CLOEXEC = 0x02 | 0x80000;
  private static final int EINTR = 4;
  private static final int ENOENT = 2;
  private static final int EOPNOTSUPP = 95;
  private static final int PROBE_BYTES = 64 << 10;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO =
      STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final MethodHandle OPEN =
      function(
          "open",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT),
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle FALLOCATE =
      function(
          "fallocate",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG));
  private static final MethodHandle CLOSE =
      function("close", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

  private final Arena memory;
  private final MemorySegment state;
  private final int fd;

  /** A file system that cannot give parts of a file back. */
  static final class Unsupported extends IOException {
    private static final long serialVersionUID = 1L;

    Unsupported(Path file) {
      super("the file system of " + file + " cannot free parts of a file");
    }
  }

  private HolePunch(Arena memory, MemorySegment state, int fd) {
    this.memory = memory;
    this.state = state;
    this.fd = fd;
  }

  @SuppressWarnings("restricted") // two functions of the C library
  private static MethodHandle function(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    var all = new Linker.Option[options.length + 1];
    System.arraycopy(options, 0, all, 0, options.length);
    all[options.length] = Linker.Option.captureCallState("errno");
    return LINKER.downcallHandle(LINKER.defaultLookup().find(name).orElseThrow(), descriptor, all);
  }

  /** Opens a file for punching; {@link NoSuchFileException} where there is none. */
  @SuppressWarnings("MustBeClosedChecker") // the result owns it
  static HolePunch open(Path file) throws IOException {
    Arena memory = Arena.ofConfined();
    try {
      MemorySegment state = memory.allocate(STATE);
      MemorySegment path = memory.allocateFrom(file.toString());
      int fd;
      do {
        fd = (int) OPEN.invokeExact(state, path, O_RDWR_CLOEXEC, 0);
      } while (fd < 0 && errno(state) == EINTR);
      if (fd < 0) {
        int errno = errno(state);
        memory.close();
        throw errno == ENOENT
            ? new NoSuchFileException(file.toString())
            : new IOException("cannot open " + file + ": errno " + errno);
      }
      return new HolePunch(memory, state, fd);
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      memory.close();
      throw new IOException("cannot open " + file, e);
    }
  }

  private static int errno(MemorySegment state) {
    return (int) ERRNO.get(state, 0L);
  }

  /** Frees a part of the file. Where it fails, some of it may be free all the same. */
  void punch(Path file, long offset, long bytes) throws IOException {
    int rc;
    try {
      do {
        rc = (int) FALLOCATE.invokeExact(state, fd, PUNCH_HOLE_KEEP_SIZE, offset, bytes);
      } while (rc != 0 && errno(state) == EINTR);
    } catch (Throwable e) {
      throw new IOException("cannot free a part of " + file, e);
    }
    if (rc != 0) {
      throw errno(state) == EOPNOTSUPP
          ? new Unsupported(file)
          : new IOException("cannot free a part of " + file + ": errno " + errno(state));
    }
  }

  /** Whether files in a directory can be punched. */
  static boolean worksIn(Path directory) throws IOException {
    Path probe = Files.createTempFile(directory, "probe", "");
    try {
      Files.write(probe, new byte[PROBE_BYTES]);
      try (HolePunch open = open(probe)) {
        open.punch(probe, 0, PROBE_BYTES);
      }
      return true;
    } catch (Unsupported e) {
      return false;
    } finally {
      Files.delete(probe);
    }
  }

  @Override
  public void close() {
    try {
      int ignored = (int) CLOSE.invokeExact(state, fd);
      assert ignored <= 0;
    } catch (Throwable e) {
      throw new IllegalStateException("close failed", e);
    } finally {
      memory.close();
    }
  }
}
