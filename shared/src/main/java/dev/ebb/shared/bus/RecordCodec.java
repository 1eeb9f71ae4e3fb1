package dev.ebb.shared.bus;

import dev.ebb.shared.error.EbbException;
import io.vertx.core.buffer.Buffer;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Writes and reads records, component by component in order of declaration: {@code int} and {@code
 * long} fixed and big-endian, {@code boolean} as one byte (0 or 1), strings (UTF-8) and byte arrays
 * behind their length, enums as their name, lists behind their size, nested records in place. A
 * component that may be null ({@code @Nullable}) has a leading byte, 0 or 1.
 */
final class RecordCodec {
  /** No string, array or list of a message is longer. */
  static final int MAX_LENGTH = 16 << 20;

  private static final ConcurrentHashMap<Class<?>, Shape> SHAPES = new ConcurrentHashMap<>();

  private RecordCodec() {}

  /** A record's canonical constructor, taking an array, and its components. */
  private record Shape(MethodHandle constructor, List<Part> parts) {}

  /** A component: how to get it, and how to read one. */
  private record Part(String name, boolean nullable, MethodHandle accessor, PartReader reader) {}

  /** Reads a value of one type. */
  private interface PartReader {
    Object read(Reader in);
  }

  /** Reads with bounds checks; a position beyond the end is an error, never an overrun. */
  static final class Reader {
    private final Buffer buffer;
    private int at;
    private final int end;

    Reader(Buffer buffer, int from, int end) {
      this.buffer = buffer;
      this.at = from;
      this.end = end;
    }

    private int take(int bytes) {
      if (bytes < 0 || bytes > end - at) {
        throw new EbbException.Invalid("a truncated bus message");
      }
      int from = at;
      at += bytes;
      return from;
    }

    int readInt() {
      return buffer.getInt(take(4));
    }

    long readLong() {
      return buffer.getLong(take(8));
    }

    boolean readFlag() {
      byte flag = buffer.getByte(take(1));
      if (flag != 0 && flag != 1) {
        throw new EbbException.Invalid("a bus message with a flag of " + flag);
      }
      return flag == 1;
    }

    byte[] readBytes() {
      int length = readLength(1);
      int from = take(length);
      return buffer.getBytes(from, from + length);
    }

    String readText() {
      return new String(readBytes(), StandardCharsets.UTF_8);
    }

    /** A number of things of at least so many bytes each: never more than can still follow. */
    int readLength(int leastBytes) {
      int length = readInt();
      if (length < 0 || length > MAX_LENGTH || (long) length * leastBytes > end - at) {
        throw new EbbException.Invalid("a bus message with an impossible length: " + length);
      }
      return length;
    }

    void expectEnd() {
      if (at != end) {
        throw new EbbException.Invalid("a bus message with " + (end - at) + " bytes too many");
      }
    }
  }

  static void write(Buffer out, Record value) {
    for (Part part : shape(value.getClass()).parts()) {
      Object content = get(part, value);
      if (part.nullable()) {
        out.appendByte((byte) (content == null ? 0 : 1));
        if (content == null) {
          continue;
        }
      }
      if (content == null) {
        throw new IllegalArgumentException(
            part.name() + " of a " + value.getClass().getSimpleName() + " is null");
      }
      writeValue(out, content);
    }
  }

  private static @Nullable Object get(Part part, Record value) {
    try {
      return (@Nullable Object) part.accessor().invokeExact((Object) value);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  private static void writeValue(Buffer out, Object value) {
    switch (value) {
      case byte[] bytes -> writeBytes(out, bytes);
      case Long l -> out.appendLong(l);
      case Integer i -> out.appendInt(i);
      case Boolean b -> out.appendByte((byte) (b ? 1 : 0));
      case String s -> writeBytes(out, s.getBytes(StandardCharsets.UTF_8));
      case Record r -> write(out, r);
      case Enum<?> e -> writeBytes(out, e.name().getBytes(StandardCharsets.UTF_8));
      case List<?> list -> {
        requireLength(list.size());
        out.appendInt(list.size());
        for (Object element : list) {
          writeValue(out, element);
        }
      }
      default -> throw new IllegalArgumentException("cannot encode a " + value.getClass());
    }
  }

  private static void writeBytes(Buffer out, byte[] bytes) {
    requireLength(bytes.length);
    out.appendInt(bytes.length).appendBytes(bytes);
  }

  private static void requireLength(int length) {
    if (length > MAX_LENGTH) {
      throw new EbbException.Invalid(
          "a bus message with " + length + " bytes or elements; at most " + MAX_LENGTH + " fit");
    }
  }

  static Object read(Reader in, Class<?> type) {
    Shape shape = shape(type);
    var parts = new @Nullable Object[shape.parts().size()];
    for (int i = 0; i < parts.length; i++) {
      Part part = shape.parts().get(i);
      boolean absent = part.nullable() && !in.readFlag();
      parts[i] = absent ? null : part.reader().read(in);
    }
    try {
      return (Object) shape.constructor().invokeExact(parts);
    } catch (EbbException e) {
      throw e;
    } catch (IllegalArgumentException | NullPointerException e) {
      // what a record refuses to be made of; its message may quote what it refused
      throw new EbbException.Invalid(
          "a bus message that cannot be: " + type.getSimpleName() + " refuses what it holds");
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  private static PartReader readerOf(Type generic) {
    if (generic instanceof ParameterizedType list && list.getRawType() == List.class) {
      return listReader(readerOf(list.getActualTypeArguments()[0]));
    }
    if (!(generic instanceof Class<?> type)) {
      throw new IllegalArgumentException("cannot decode a " + generic);
    }
    if (type == int.class || type == Integer.class) {
      return Reader::readInt;
    }
    if (type == long.class || type == Long.class) {
      return Reader::readLong;
    }
    if (type == boolean.class || type == Boolean.class) {
      return Reader::readFlag;
    }
    if (type == String.class) {
      return Reader::readText;
    }
    if (type == byte[].class) {
      return Reader::readBytes;
    }
    if (type.isEnum()) {
      return enumReader(type);
    }
    if (type.isRecord()) {
      return in -> read(in, type);
    }
    throw new IllegalArgumentException("cannot decode a " + type);
  }

  private static PartReader listReader(PartReader element) {
    return in -> {
      int size = in.readLength(1);
      var elements = new ArrayList<>(Math.min(size, 1024));
      for (int i = 0; i < size; i++) {
        elements.add(element.read(in));
      }
      return List.copyOf(elements);
    };
  }

  private static PartReader enumReader(Class<?> type) {
    Map<String, Object> constants = new HashMap<>();
    for (Object constant : type.getEnumConstants()) {
      constants.put(((Enum<?>) constant).name(), constant);
    }
    return in -> {
      Object constant = constants.get(in.readText());
      if (constant == null) {
        throw new EbbException.Invalid("a bus message with an unknown " + type.getSimpleName());
      }
      return constant;
    };
  }

  private static Shape shape(Class<?> type) {
    Shape known = SHAPES.get(type);
    if (known != null) {
      return known;
    }
    Shape made = makeShape(type);
    SHAPES.put(type, made);
    return made;
  }

  private static Shape makeShape(Class<?> type) {
    RecordComponent[] components = type.getRecordComponents();
    if (components == null) {
      throw new IllegalArgumentException("not a record: " + type);
    }
    var types = new Class<?>[components.length];
    var parts = new ArrayList<Part>();
    try {
      for (int i = 0; i < components.length; i++) {
        RecordComponent component = components[i];
        types[i] = component.getType();
        component.getAccessor().setAccessible(true);
        MethodHandle accessor =
            MethodHandles.lookup()
                .unreflect(component.getAccessor())
                .asType(MethodType.methodType(Object.class, Object.class));
        boolean nullable = component.getAnnotatedType().isAnnotationPresent(Nullable.class);
        parts.add(
            new Part(
                component.getName(), nullable, accessor, readerOf(component.getGenericType())));
      }
      var constructor = type.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      MethodHandle handle =
          MethodHandles.lookup()
              .unreflectConstructor(constructor)
              .asSpreader(Object[].class, types.length)
              .asType(MethodType.methodType(Object.class, Object[].class));
      return new Shape(handle, List.copyOf(parts));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
