#pragma once
#include "cache/index.h"
