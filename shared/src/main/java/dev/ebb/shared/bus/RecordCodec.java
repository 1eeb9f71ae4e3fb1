package dev.ebb.shared.bus;

import dev.ebb.shared.error.EbbException;
import io.vertx.core.buffer.Buffer;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Writes and reads records, component by component in order of declaration: {@code int} and {@code
 * long} fixed and big-endian, {@code boolean} as one byte, strings and byte arrays behind their
 * length, enums as their name, lists behind their size, nested records in place. A component that
 * may be null ({@code @Nullable}) has a leading byte, 0 or 1.
 */
final class RecordCodec {
  /** No string, array or list of a message is longer. */
  static final int MAX_LENGTH = 16 << 20;

  private static final ConcurrentHashMap<Class<?>, Shape> SHAPES = new ConcurrentHashMap<>();

  private RecordCodec() {}

  private record Shape(
      java.lang.reflect.Constructor<?> constructor, List<RecordComponent> components) {}

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

    byte readByte() {
      return buffer.getByte(take(1));
    }

    byte[] readBytes() {
      int length = readLength();
      int from = take(length);
      return buffer.getBytes(from, from + length);
    }

    int readLength() {
      int length = readInt();
      if (length < 0 || length > MAX_LENGTH) {
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

  static void write(Buffer out, Object value) {
    for (RecordComponent component : shape(value.getClass()).components()) {
      Object part;
      try {
        part = component.getAccessor().invoke(value);
      } catch (IllegalAccessException | InvocationTargetException e) {
        throw new IllegalStateException(e);
      }
      if (isNullable(component)) {
        out.appendByte((byte) (part == null ? 0 : 1));
        if (part == null) {
          continue;
        }
      }
      if (part == null) {
        throw new IllegalArgumentException(component + " is null");
      }
      writeValue(out, part);
    }
  }

  private static void writeValue(Buffer out, Object value) {
    switch (value) {
      case Integer i -> out.appendInt(i);
      case Long l -> out.appendLong(l);
      case Boolean b -> out.appendByte((byte) (b ? 1 : 0));
      case String s -> {
        byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
        out.appendInt(bytes.length).appendBytes(bytes);
      }
      case byte[] bytes -> out.appendInt(bytes.length).appendBytes(bytes);
      case Enum<?> e -> writeValue(out, e.name());
      case List<?> list -> {
        out.appendInt(list.size());
        for (Object element : list) {
          writeValue(out, element);
        }
      }
      case Record r -> write(out, r);
      default -> throw new IllegalArgumentException("cannot encode a " + value.getClass());
    }
  }

  static Object read(Reader in, Class<?> type) {
    Shape shape = shape(type);
    var parts = new @Nullable Object[shape.components().size()];
    for (int i = 0; i < parts.length; i++) {
      RecordComponent component = shape.components().get(i);
      boolean absent = isNullable(component) && in.readByte() == 0;
      parts[i] = absent ? null : readValue(in, component.getGenericType());
    }
    try {
      return shape.constructor().newInstance(parts);
    } catch (InvocationTargetException e) {
      throw new EbbException.Invalid("a bus message that cannot be: " + e.getCause());
    } catch (InstantiationException | IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Object readValue(Reader in, Type generic) {
    if (generic instanceof ParameterizedType list) {
      int size = in.readLength();
      var elements = new ArrayList<>(Math.min(size, 1024));
      for (int i = 0; i < size; i++) {
        elements.add(readValue(in, list.getActualTypeArguments()[0]));
      }
      return List.copyOf(elements);
    }
    Class<?> type = (Class<?>) generic;
    if (type == int.class || type == Integer.class) {
      return in.readInt();
    }
    if (type == long.class || type == Long.class) {
      return in.readLong();
    }
    if (type == boolean.class) {
      return in.readByte() != 0;
    }
    if (type == String.class) {
      return new String(in.readBytes(), StandardCharsets.UTF_8);
    }
    if (type == byte[].class) {
      return in.readBytes();
    }
    if (type.isEnum()) {
      String name = new String(in.readBytes(), StandardCharsets.UTF_8);
      for (Object constant : type.getEnumConstants()) {
        if (((Enum<?>) constant).name().equals(name)) {
          return constant;
        }
      }
      throw new EbbException.Invalid("a bus message with an unknown " + type.getSimpleName());
    }
    return read(in, type);
  }

  private static boolean isNullable(RecordComponent component) {
    return component.getAnnotatedType().isAnnotationPresent(Nullable.class);
  }

  private static Shape shape(Class<?> type) {
    return SHAPES.computeIfAbsent(
        type,
        t -> {
          RecordComponent[] components = t.getRecordComponents();
          if (components == null) {
            throw new IllegalArgumentException("not a record: " + t);
          }
          var types = new Class<?>[components.length];
          for (int i = 0; i < types.length; i++) {
            types[i] = components[i].getType();
            components[i].getAccessor().setAccessible(true);
          }
          try {
            var constructor = t.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return new Shape(constructor, List.of(components));
          } catch (NoSuchMethodException e) {
            throw new IllegalStateException(e);
          }
        });
  }
}
