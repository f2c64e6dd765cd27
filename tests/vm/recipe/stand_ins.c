// SPDX-License-Identifier: GPL-2.0
// Stand-ins for a board's own buses, for the tests inside the guest: an I2C bus that keeps what is written to it, and a
// GPIO chip of four lines. Debian's kernel has neither: its i2c-stub speaks SMBus only, gpio-sim is not built.
//
// /dev/stand-in-i2c: read what was written on the bus since the last read. One chip answers, at `address`.
// /dev/stand-in-gpio: read four bytes, the lines' levels; write four bytes, what the world outside pulls them to.

#include <linux/gpio/driver.h>
#include <linux/i2c.h>
#include <linux/kfifo.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#define LINES 4

static int address = 0x27;
module_param(address, int, 0444);

static DEFINE_KFIFO(written, u8, 8192);
static u8 driven[LINES], pulled[LINES], output[LINES];

static int bus_transfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	int at;

	for (at = 0; at < count; at++) {
		if (messages[at].addr != address)
			return -ENXIO;
		if (messages[at].flags & I2C_M_RD)
			memset(messages[at].buf, 0, messages[at].len);
		else
			kfifo_in(&written, messages[at].buf, messages[at].len);
	}
	return count;
}

static u32 bus_can(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C;
}

static const struct i2c_algorithm bus_algorithm = { .master_xfer = bus_transfer, .functionality = bus_can };
static struct i2c_adapter bus = { .owner = THIS_MODULE, .algo = &bus_algorithm, .name = "stand-in" };

static ssize_t read_bus(struct file *file, char __user *buffer, size_t size, loff_t *place)
{
	unsigned int copied;
	int failed = kfifo_to_user(&written, buffer, size, &copied);

	return failed ? failed : copied;
}

static int line_level(struct gpio_chip *chip, unsigned int line)
{
	return output[line] ? driven[line] : pulled[line];
}

static void set_line(struct gpio_chip *chip, unsigned int line, int value)
{
	driven[line] = value;
}

static int make_output(struct gpio_chip *chip, unsigned int line, int value)
{
	driven[line] = value;
	output[line] = 1;
	return 0;
}

static int make_input(struct gpio_chip *chip, unsigned int line)
{
	output[line] = 0;
	return 0;
}

static int line_direction(struct gpio_chip *chip, unsigned int line)
{
	return output[line] ? GPIO_LINE_DIRECTION_OUT : GPIO_LINE_DIRECTION_IN;
}

static struct gpio_chip lines = {
	.label = "stand-in", .owner = THIS_MODULE, .base = -1, .ngpio = LINES, .get = line_level, .set = set_line,
	.direction_output = make_output, .direction_input = make_input, .get_direction = line_direction,
};

static ssize_t read_lines(struct file *file, char __user *buffer, size_t size, loff_t *place)
{
	u8 levels[LINES];
	int line;

	if (size < LINES)
		return -EINVAL;
	for (line = 0; line < LINES; line++)
		levels[line] = line_level(&lines, line);
	return copy_to_user(buffer, levels, LINES) ? -EFAULT : LINES;
}

static ssize_t pull_lines(struct file *file, const char __user *buffer, size_t size, loff_t *place)
{
	return size != LINES || copy_from_user(pulled, buffer, LINES) ? -EINVAL : LINES;
}

static const struct file_operations bus_world = { .owner = THIS_MODULE, .read = read_bus };
static const struct file_operations lines_world = { .owner = THIS_MODULE, .read = read_lines, .write = pull_lines };
static struct miscdevice bus_device = { MISC_DYNAMIC_MINOR, "stand-in-i2c", &bus_world };
static struct miscdevice lines_device = { MISC_DYNAMIC_MINOR, "stand-in-gpio", &lines_world };

static int __init begin(void)
{
	int failed = misc_register(&bus_device);

	if (failed)
		return failed;
	failed = misc_register(&lines_device);
	if (failed)
		goto no_lines_device;
	failed = i2c_add_adapter(&bus);
	if (failed)
		goto no_bus;
	lines.parent = lines_device.this_device;
	failed = gpiochip_add_data(&lines, NULL);
	if (!failed)
		return 0;
	i2c_del_adapter(&bus);
no_bus:
	misc_deregister(&lines_device);
no_lines_device:
	misc_deregister(&bus_device);
	return failed;
}

static void __exit end(void)
{
	gpiochip_remove(&lines);
	i2c_del_adapter(&bus);
	misc_deregister(&lines_device);
	misc_deregister(&bus_device);
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("stand-ins for a board's own buses");
MODULE_LICENSE("GPL");
